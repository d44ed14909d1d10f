// Writes random networks in the formats that other programs load, with what they must answer: export_models FOLDER; and
// graphs in FOLDER/graphs.
// Reads what other programs have made, of which each must pass its self-test, or, if its name begins with "refused", be
// refused: export_models --read FOLDER.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/error.hpp"
#include "clients/export_graphs.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/graph/step_graph.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/networks.hpp"
#include "nn/io/save_load.hpp"
#include "nn/recurrent/lstm_variants.hpp"

using namespace networks;
using nn::Nonlinearity;
using nn::io::Format;

namespace {

int read_all(const std::filesystem::path& folder) {
  int wrong = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() != ".json") continue;
    const bool refused = path.stem().string().starts_with("refused");
    std::string answer = "answers as there";
    bool right = !refused;
    try {
      if (!nn::io::load(path).self_test) throw std::runtime_error("no self-test");
    } catch (const std::exception& error) {
      answer = error.what();
      right = refused && dynamic_cast<const autograd::FormatError*>(&error);
    }
    std::printf("%s%s: %s\n", right ? "" : "WRONG: ", path.string().c_str(), answer.c_str());
    wrong += !right;
  }
  return wrong ? 1 : 0;
}

}  // namespace

int main(int count, char** argv) {
  if (count == 3 && std::string(argv[1]) == "--read") return read_all(argv[2]);
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  struct Case {
    std::string name;
    Network network;
    std::vector<Format> formats;
  };
  using enum Format;
  Network skipping = random_network(1, {{lstm, 40}, {linear, 1}});
  skipping.skip = 1;
  Network loud = random_network(3, {{lstm, 5}, {linear, 1}});
  loud.skip = 1;
  loud.input_gain_db = -6;
  loud.output_gain_db = 3;
  const std::vector<Case> cases{
      {"lstm",
       random_network(1, {{lstm, 8}, {linear, 1}}),
       {native, state_dict, rtneural, aidax, guitarml, nam, keras, onnx, tfjs, safetensors}},
      {"lstm_stack",
       random_network(3, {{lstm, 20}, {lstm, 20}, {linear, 2}}),
       {native, state_dict, rtneural, guitarml, keras, onnx, tfjs, safetensors}},
      {"gru",
       random_network(2, {{gru, 7}, {gru, 7}, {linear, 1}}),
       {native, state_dict, rtneural, guitarml, keras, onnx, safetensors}},
      {"gru_reset_before", random_network(2, {{gru, 7, false}, {linear, 1}}), {native, keras, onnx, tfjs}},
      {"rnn", random_network(2, {{rnn, 7}, {linear, 1}}), {native, state_dict, keras, onnx, tfjs, safetensors}},
      {"rnn_relu",
       random_network(2, {{rnn, 3, true, 1, Nonlinearity::relu}, {linear, 1}}),
       {native, keras, onnx, tfjs}},
      {"bidirectional",
       random_network(2, {{lstm, 4, true, 2}, {lstm, 4, true, 2}, {gru, 3, true, 2}, {linear, 1}}),
       {native, state_dict, keras, onnx, safetensors}},
      {"bidirectional_before",
       random_network(2, {{lstm, 4, true, 2}, {gru, 3, false, 2}, {rnn, 3, true, 2}, {linear, 1}}),
       {native, keras, onnx, tfjs}},
      {"projection",
       random_network(2, {{lstm, 6, true, 1, Nonlinearity::identity, 2}, {linear, 1}}),
       {native, state_dict, safetensors}},
      {"activations",
       random_network(2, {{lstm, 6},
                          {linear, 5, true, 1, Nonlinearity::relu},
                          {linear, 4, true, 1, Nonlinearity::elu},
                          {linear, 4, true, 1, Nonlinearity::tanh},
                          {linear, 4, true, 1, Nonlinearity::sigmoid},
                          {linear, 3, true, 1, Nonlinearity::softmax}}),
       {rtneural, keras, onnx, tfjs}},
      {"skip", skipping, {aidax, guitarml, onnx}},
      {"gains", loud, {onnx}},
  };
  for (const Case& c : cases) {
    Random random(5);
    const Tensor input = random.tensor({30, c.network.input_size()});
    const nlohmann::json expected{{"input", rows_of(input)},
                                  {"output", rows_of(nn::infer::evaluate(c.network, input))}};
    std::ofstream(folder / (c.name + ".expected.json")) << expected;
    for (const Format format : c.formats)
      nn::io::save(
          c.network, folder / (c.name + "." + name(format)),
          {.format = format,
           .metadata = format == state_dict ? nn::io::Metadata{} : nn::io::Metadata{{"made by", "export_models"}},
           .self_test = format != state_dict});
  }
  nn::Generator generator(1);
  nn::GRU<float> gru({.input_size = 3, .hidden_size = 4, .num_layers = 2}, generator);
  nn::PeepholeLSTMCell<double> cell({.input_size = 2, .hidden_size = 3}, generator);
  const nn::io::GraphFileOptions options{.metadata = {{"made by", "export_models"}}, .self_test_steps = 4};
  nn::io::save_graph(nn::step_graph(gru), folder / "gru.wengert-2", options);
  nn::io::save_graph(nn::step_graph(cell), folder / "peephole.wengert-2", options);
  export_graphs(folder / "graphs");
}
