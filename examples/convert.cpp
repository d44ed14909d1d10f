// Converts trained recurrent models between the formats of the programs that run them, and says what is in a file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/version.hpp"
#include "command_line.hpp"
#include "convert/graphs.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/save_load.hpp"
#include "nn/io/self_test.hpp"
#include "program.hpp"

namespace {

using nn::io::Format;
using nn::io::Layer;
using nn::io::Network;
using nn::io::Tensor;

struct Options {
  std::string in, out, to, from = "auto", dtype = "auto", inspect, nonlinearity;
  std::vector<std::string> metadata, order;
  double sample_rate = 0;
  std::size_t burn_in = 0;
  bool check = false, self_test = false, zero_state = false, formats = false;
};

Format format_of(const std::string& name) {
  if (const auto format = nn::io::format_named(name)) return *format;
  throw autograd::ValueError("no format is called " + name + "; there are " + nn::io::format_names() +
                             ", and of graphs " + graph_forms());
}

/// The one asked for, or that of the name of the file, where it tells.
Format format_to_write(const Options& options) {
  if (!options.to.empty()) return format_of(options.to);
  if (const auto format = nn::io::format_by_suffix(options.out)) return *format;
  throw autograd::ValueError("name the format with --to: " + nn::io::format_names());
}

Format format_to_read(const Options& options, const std::string& file) {
  return options.from == "auto" ? nn::io::detect(file) : format_of(options.from);
}

nn::io::Metadata notes_of(const Options& options) {
  nn::io::Metadata notes;
  for (const std::string& note : options.metadata) {
    const std::size_t equals = note.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw autograd::ValueError("--metadata " + note + ": expected KEY=VALUE, loudness=-18.5 say");
    notes[note.substr(0, equals)] = note.substr(equals + 1);
  }
  return notes;
}

void print(const Network& network, Format format) {
  fmt::print("{}, {}, {} parameters\n", name(format), network.dtype == nn::io::Dtype::float32 ? "float32" : "float64",
             network.parameter_count());
  for (const Layer& layer : network.layers) {
    std::string notes;
    const auto note = [&notes](const std::string& text) { notes += ", " + text; };
    if (layer.gates() > 1) note(std::string("gates ") + gate_order(layer.kind));
    if (layer.kind == Layer::Kind::gru)
      note(layer.reset_after ? "reset after the product" : "reset before the product");
    if (layer.activation != nn::Nonlinearity::identity) note(name(layer.activation));
    if (layer.directions.size() == 2) note("bidirectional");
    if (layer.projection()) note(fmt::format("projection to {}", layer.projection()));
    if (layer.directions[0].bias_ih.empty()) note("no bias");
    if (!layer.directions[0].h0.empty()) note("with an initial state");
    fmt::print("  {:<12} {:<6} {:>4} -> {}{}\n", layer.name, name(layer.kind), layer.input_size, layer.output_size(),
               notes);
  }
  if (network.skip) fmt::print("  the first {} inputs are added to the outputs\n", network.skip);
  if (network.input_gain_db != 0 || network.output_gain_db != 0)
    fmt::print("  gain {} dB before and {} dB after\n", network.input_gain_db, network.output_gain_db);
  if (network.sample_rate > 0) fmt::print("  {} Hz\n", network.sample_rate);
  for (const std::string& note : network.notes) fmt::print("  {}\n", note);
  if (network.self_test) fmt::print("  its self-test of {} steps passes\n", network.self_test->input.shape[0]);
  for (const auto& [key, note] : network.metadata) fmt::print("  {}: {}\n", key, note.text());
}

nn::io::LoadOptions load_options(const Options& options, Format format) {
  nn::io::LoadOptions result{.format = format};
  if (options.dtype != "auto")
    result.dtype = options.dtype == "float64" ? nn::io::Dtype::float64 : nn::io::Dtype::float32;
  result.order = options.order;
  if (!options.nonlinearity.empty()) result.nonlinearity = nn::io::activation_named(options.nonlinearity);
  return result;
}

/// A chirp on all inputs.
Tensor chirp(std::size_t inputs) {
  Tensor input = nn::io::zero_tensor({500, inputs});
  for (std::size_t k = 0; k < input.values.size(); ++k) {
    const double t = static_cast<double>(k / inputs), channel = static_cast<double>(k % inputs);
    input.values[k] = std::sin(0.0005 * t * t + channel);
  }
  return input;
}

/// How far the answers of two networks are apart, infinitely where one is NaN, and the size of the first one's.
struct Comparison {
  double difference = 0, size = 1;
};
Comparison compare(const Network& a, const Network& b, const Tensor& input) {
  nn::infer::Evaluation<double> left(a, input), right(b, input);
  Comparison result;
  for (std::size_t t = 0; t < input.shape[0]; ++t) {
    const double *const x = left.next(), *const y = right.next();
    for (std::size_t k = 0; k < a.output_size(); ++k) {
      if (std::isfinite(x[k])) result.size = std::max(result.size, std::abs(x[k]));
      if (x[k] == y[k] || (std::isnan(x[k]) && std::isnan(y[k]))) continue;
      const double difference = std::abs(x[k] - y[k]);
      result.difference = std::max(result.difference, std::isnan(difference) ? HUGE_VAL : difference);
    }
  }
  return result;
}

/// The first step whose outputs, computed with numbers of the network's type, are not all finite.
template <class T>
std::optional<std::size_t> first_not_finite(const Network& network, const Tensor& input) {
  nn::infer::Evaluation<T> evaluation(network, input);
  for (std::size_t t = 0; t < input.shape[0]; ++t) {
    const T* const y = evaluation.next();
    if (!std::all_of(y, y + network.output_size(), [](T value) { return std::isfinite(value); })) return t;
  }
  return {};
}
std::optional<std::size_t> not_finite(const Network& network, const Tensor& input) {
  return network.dtype == nn::io::Dtype::float32 ? first_not_finite<float>(network, input)
                                                 : first_not_finite<double>(network, input);
}

/// Prints what a native file holds of a model that is no row of layers.
void print(const nn::io::Weights& weights) {
  fmt::print("native, {}, {} arrays\n", weights.dtype == nn::io::Dtype::float32 ? "float32" : "float64",
             weights.tensors.size());
  for (const auto& [path, description] : weights.modules)
    if (!description.type.empty()) fmt::print("  {} {}\n", path.empty() ? "the model:" : path + ":", description.type);
  for (const auto& [name, tensor] : weights.tensors) fmt::print("  {} {}\n", name, to_string(tensor.shape));
  for (const auto& [key, note] : weights.metadata) fmt::print("  {}: {}\n", key, note.text());
}

/// Prints what a graph computes.
void print(const nn::io::GraphFile<double>& file) {
  fmt::print("graph ({}), {}, {} parameters\n{}", nn::io::graph_version,
             file.dtype == nn::io::Dtype::float32 ? "float32" : "float64", file.graph.parameter_count(),
             file.graph.print());
  if (file.self_test_steps) fmt::print("  its self-test of {} steps passes\n", file.self_test_steps);
  for (const auto& [key, note] : file.metadata) fmt::print("  {}: {}\n", key, note.text());
}

/// Prints every problem of a file, or what is in it. The exit status is 1 if there is a problem.
int inspect(const Options& options) {
  std::optional<Format> format;
  try {
    if (options.from == "auto" && nn::io::is_graph_file(options.inspect)) {
      print(nn::io::read_graph_file<double>(options.inspect));
      fmt::print("no problems\n");
      return 0;
    }
    format = format_to_read(options, options.inspect);
    print(nn::io::load(options.inspect, load_options(options, *format)), *format);
    fmt::print("no problems\n");
    return 0;
  } catch (const nn::io::FileProblems& file) {
    for (const nn::io::Problem& problem : file.problems)
      if (!problem.text.empty())  // of very many only the first ones have one
        fmt::print("{}: byte {}: {}\n", problem.pointer.empty() ? "/" : problem.pointer, problem.byte, problem.text);
    fmt::print("{} problem{}\n", file.problems.size(), file.problems.size() == 1 ? "" : "s");
  } catch (const autograd::FormatError& error) {
    try {
      // A model of somebody's own is a good file, though nothing else runs it.
      if (format == Format::native) {
        print(nn::io::read_weights(options.inspect));
        fmt::print("no problems, but no other format can hold it: {}\n", error.what());
        return 0;
      }
    } catch (const autograd::FormatError&) {
    }
    fmt::print("{}\n1 problem\n", error.what());
  }
  return 1;
}

/// Reads the written file again and says what is known by then, and what is not.
int check(const Options& options, Network expected, Format to) {
  Network again = nn::io::load(options.out, {.format = to});
  if (options.zero_state)
    for (Layer& layer : expected.layers)
      for (nn::io::Arrays& arrays : layer.directions) arrays.h0 = arrays.c0 = {};
  if (options.burn_in) expected = nn::infer::burnt_in(std::move(expected), options.burn_in);
  const Tensor input = chirp(expected.input_size());
  const Comparison found = compare(expected, again, input);
  fmt::print(
      "checked: {}, read again, answers as the model that was read from {}: outputs over 500 steps differ by at "
      "most {:.2g}\n",
      options.out, options.in, found.difference);
  if (!(found.difference <= 1e-5 * found.size)) {
    fmt::print("THE OUTPUTS DIFFER\n");
    return 1;
  }
  if (const auto step = not_finite(again, input)) {
    const bool both = not_finite(expected, input).has_value();
    fmt::print("{}: from step {} on, {} computes infinities or NaN{}\n", both ? "beware" : "THE OUTPUTS ARE NOT FINITE",
               *step, options.out, both ? ", as " + options.in + " does" : ", and " + options.in + " does not");
    if (!both) return 1;
  }
  if (!expected.self_test) {
    fmt::print("not checked: that {} was read as the program that wrote it means it; it has no self-test to tell\n",
               options.in);
  } else if (options.zero_state || options.burn_in) {
    fmt::print("checked: {} was read as it was meant, its self-test passes; {} starts from another state\n", options.in,
               options.out);
  } else {
    again.self_test = std::move(expected.self_test);
    try {
      nn::io::verify_self_test(again, options.out);
    } catch (const autograd::FormatError& error) {
      fmt::print("THE SELF-TEST OF {} FAILS: {}\n", options.in, error.what());
      return 1;
    }
    fmt::print("checked: the self-test of {} passes, as it was read and as it was written\n", options.in);
  }
  return 0;
}

/// The graph of a model, in one of the forms that graphs have.
int convert_to_graph(const Options& options) {
  if (options.sample_rate != 0 || options.burn_in || options.zero_state || !options.order.empty() ||
      !options.nonlinearity.empty() || options.dtype != "auto")
    throw autograd::ValueError(
        "of a graph only --from, --metadata, --self-test and --check are options; convert the "
        "model to native first, with the others");
  if (options.from != "auto") format_of(options.from);
  const auto suffix = nn::io::format_by_suffix(options.out);
  return convert_graph({.in = options.in,
                        .out = options.out,
                        .from = options.from,
                        .to = options.to.empty() && suffix ? name(*suffix) : options.to,
                        .metadata = notes_of(options),
                        .self_test = options.self_test,
                        .check = options.check});
}

int convert(const Options& options) {
  if (is_graph_form(options.to) || nn::io::is_graph_file(options.in)) return convert_to_graph(options);
  const Format to = format_to_write(options), from = format_to_read(options, options.in);
  Network network = nn::io::load(options.in, load_options(options, from));
  print(network, from);
  nn::io::save(network, options.out,
               {.format = to,
                .metadata = notes_of(options),
                .self_test = options.self_test,
                .sample_rate = options.sample_rate,
                .burn_in = options.burn_in,
                .zero_state = options.zero_state});
  fmt::print("wrote {} as {}\n", options.out, name(to));
  return options.check ? check(options, std::move(network), to) : 0;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Converts recurrent models between " + nn::io::format_names() + ", and writes what they compute as " +
                   graph_forms() + ".",
               "convert");
  app.set_version_flag("--version", autograd::build_description());
  app.add_option("in", options.in, "the file to read");
  app.add_option("out", options.out, "the file to write");
  app.add_option("--to", options.to,
                 "its format, or graph, c, packed or onnx-step; by default that of the suffix .nam, .onnx, .aidax or "
                 ".safetensors");
  app.add_option("--from", options.from, "the format of the file to read")->capture_default_str();
  app.add_option("--dtype", options.dtype,
                 "round the numbers to float32, or keep them float64; auto: what the file says, or its numbers show")
      ->check(CLI::IsMember({"auto", "float32", "float64"}))
      ->capture_default_str();
  app.add_option("--order", options.order,
                 "the layers of a state dict or safetensors file from the input to the output: lstm,head")
      ->delimiter(',');
  app.add_option("--nonlinearity", options.nonlinearity, "tanh or relu, of RNNs in a file that does not say")
      ->check(CLI::IsMember({"tanh", "relu"}));
  app.add_option("--sample-rate", options.sample_rate, "in Hz; by default the file's, or 48000 for nam and aidax");
  app.add_option("--metadata", options.metadata, "a note for the file, KEY=VALUE: loudness=-18.5; may be repeated");
  app.add_option("--burn-in", options.burn_in, "nam: begin with the state after so many steps of zeros")
      ->check(CLI::Range(0, 10'000'000));
  app.add_flag("--zero-state", options.zero_state, "forget the initial state of a .nam file");
  app.add_flag("--self-test", options.self_test, "write an input and the answer along, for readers to check");
  app.add_flag("--check", options.check,
               "read the written file again, compare outputs, and run the self-test of the first one");
  app.add_flag("--formats", options.formats, "print what each format can express, as a table");
  app.add_option("--inspect", options.inspect, "say what is in a file, or everything that is wrong with it");
  if (const auto status = parse(app, argc, argv)) return *status;
  if (options.formats) {
    fmt::print("{}", nn::io::format_table());
    return 0;
  }
  if (!options.inspect.empty()) return inspect(options);
  if (options.in.empty() || options.out.empty())
    throw autograd::ValueError("name a file to read and a file to write, or --inspect FILE");
  return convert(options);
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("convert", 2, [&] { return run(argc, argv); });
}
