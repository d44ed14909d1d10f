#include "convert/graphs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "autograd/error.hpp"
#include "nn/graph/c_source.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/graph/graph_onnx.hpp"
#include "nn/graph/network_graph.hpp"
#include "nn/infer/packed.hpp"
#include "nn/io/file.hpp"
#include "nn/io/save_load.hpp"

using autograd::Graph;
using autograd::ValueError;

namespace {

constexpr std::array forms{"graph", "c", "packed", "onnx-step"};

void write_bytes(const std::string& path, const std::vector<std::byte>& bytes) {
  nn::io::replace_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

template <class T>
void write(const Graph<T>& graph, const GraphConversion& conversion) {
  const std::string& to = conversion.to;
  if (conversion.self_test && to != "graph")
    throw ValueError("--self-test: only a graph file holds one, and " + to + " does not");
  if (!conversion.metadata.empty() && (to == "c" || to == "packed"))
    throw ValueError("--metadata: " + to + " holds none");
  if (to == "graph")
    nn::io::save_graph(
        graph, conversion.out,
        {.metadata = conversion.metadata, .self_test_steps = conversion.self_test ? std::size_t(64) : 0});
  else if (to == "c")
    nn::io::save_c(graph, conversion.out);
  else if (to == "packed")
    write_bytes(conversion.out, nn::infer::packed(graph));
  else
    nn::io::save_onnx(graph, conversion.out, {.step_model = to == "onnx-step", .metadata = conversion.metadata});
}

template <class T>
Graph<T> read_again(const GraphConversion& conversion) {
  if (conversion.to == "graph") return nn::io::load_graph<T>(conversion.out);
  if (conversion.to != "packed")
    throw ValueError("--check: " + conversion.to +
                     " is read by other programs only; a graph file and a packed one are " + "checked here");
  const std::string bytes = nn::io::read_file(conversion.out);
  return nn::infer::unpacked<T>(std::as_bytes(std::span(bytes)));
}

/// The largest difference between the answers to a chirp; infinite where only one is NaN.
template <class T>
double difference(const Graph<T>& a, const Graph<T>& b) {
  nn::infer::Stream<T> left(a), right(b);
  std::vector<T> x(left.input_size()), y(left.output_size()), z(right.output_size());
  double largest = 0;
  for (int t = 0; t < 500; ++t) {
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<T>(std::sin(0.0005 * t * t + static_cast<double>(k)));
    left.step(x.data(), y.data());
    right.step(x.data(), z.data());
    for (std::size_t k = 0; k < y.size(); ++k) {
      if (std::isnan(y[k]) && std::isnan(z[k])) continue;
      const double apart = std::abs(static_cast<double>(y[k]) - static_cast<double>(z[k]));
      largest = std::max(largest, std::isnan(apart) ? HUGE_VAL : apart);
    }
  }
  return largest;
}

template <class T>
int finish(const Graph<T>& graph, const GraphConversion& conversion) {
  fmt::print("{}, {} parameters, {} steps\n", sizeof(T) == 4 ? "float32" : "float64", graph.parameter_count(),
             graph.steps.size());
  write(graph, conversion);
  fmt::print("wrote {} as {}\n", conversion.out, conversion.to);
  if (!conversion.check) return 0;
  const double found = difference(graph, read_again<T>(conversion));
  fmt::print("checked: {}, read again, answers as {}: outputs over 500 steps differ by at most {:.2g}\n",
             conversion.out, conversion.in, found);
  return found <= 1e-6 ? 0 : 1;
}

}  // namespace

std::string graph_forms() { return "graph, c, packed and onnx-step"; }

bool is_graph_form(const std::string& name) { return std::find(forms.begin(), forms.end(), name) != forms.end(); }

int convert_graph(const GraphConversion& conversion) {
  if (nn::io::is_graph_file(conversion.in)) {
    if (!is_graph_form(conversion.to) && conversion.to != "onnx")
      throw ValueError(conversion.in + " is a graph, and can be written as " + graph_forms() +
                       ", or as onnx; other formats hold layers in a row");
    const auto file = nn::io::read_graph_file<double>(conversion.in);
    if (file.dtype == nn::io::Dtype::float64) return finish(file.graph, conversion);
    return finish(nn::io::load_graph<float>(conversion.in), conversion);
  }
  nn::io::LoadOptions options;
  if (conversion.from != "auto") options.format = nn::io::format_named(conversion.from);
  const nn::io::Network network = nn::io::load(conversion.in, options);
  return network.dtype == nn::io::Dtype::float32 ? finish(nn::network_graph<float>(network), conversion)
                                                 : finish(nn::network_graph<double>(network), conversion);
}
