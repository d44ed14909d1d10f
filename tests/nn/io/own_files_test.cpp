// Our own files are read, however many layers they have and however small these are, and many small values in a file of
// anybody's cost no more than a bound in its size.
#include <cstring>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "heap.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/io/save_load.hpp"
#include "nn/io/self_test.hpp"

using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using Catch::Matchers::ContainsSubstring;
using saved::Folder;

TEST_CASE("what is written is read, of hundreds of layers of one unit") {
  const auto rows = [](Layer::Kind kind, std::size_t count, bool head) {
    std::vector<Spec> specs(count, Spec{kind, 1});
    if (head) specs.push_back({linear, 1});
    return specs;
  };
  using enum Format;
  struct Case {
    std::vector<Spec> specs;
    std::vector<Format> formats;
  };
  for (const std::size_t count : {21, 41, 99, 500})
    for (const Case& c :
         std::vector<Case>{{rows(linear, count, false), {native, state_dict, rtneural, keras, onnx, tfjs, safetensors}},
                           {rows(lstm, count, false), {native, state_dict, rtneural, keras, onnx, tfjs, safetensors}},
                           {rows(gru, count, false), {native, state_dict, rtneural, keras, onnx, safetensors}},
                           {rows(rnn, count, false), {native, state_dict, keras, onnx, tfjs, safetensors}},
                           {rows(lstm, count, true), {nam}},
                           {rows(lstm, std::min<std::size_t>(count, 99), true), {guitarml}}})
      for (const Format format : c.formats) {
        INFO(name(format) << ", " << count << " of " << name(c.specs[0].kind));
        Network network = random_network(1, c.specs);
        if (c.specs[0].kind == linear)  // each is a module
          for (std::size_t k = 0; k < network.layers.size(); ++k) network.layers[k].name = "l" + std::to_string(k);
        const Folder folder;
        save(network, folder.path / "model.json", {.format = format});
        const Network back = load(folder.path / "model.json", {.format = format});
        REQUIRE(back.layers.size() == network.layers.size());
        CHECK(back.layers.back().directions[0].weight_ih.values.size() ==
              network.layers.back().directions[0].weight_ih.values.size());
      }
}

TEST_CASE("what is written is read, also where a text in it is long") {
  const std::string history(100000, 'h');
  const Network wide = random_network(60, {{lstm, 2}, {linear, 1}}), deep = [] {
    Network network = random_network(1, std::vector<Spec>(800, Spec{rnn, 1}));
    for (std::size_t k = 0; k < network.layers.size(); ++k) network.layers[k].name = "r" + std::to_string(k);
    return network;
  }();
  for (const Network* const network : {&wide, &deep})
    for (const Format format :
         {Format::native, Format::state_dict, Format::keras, Format::onnx, Format::tfjs, Format::safetensors}) {
      INFO(name(format) << ", " << network->layers.size() << " layers");
      const Folder folder;
      const Metadata metadata =
          format == Format::state_dict ? Metadata{} : Metadata{{"history", history}};  // which has no place for notes
      save(*network, folder.path / "model.json", {.format = format, .metadata = metadata, .self_test = true});
      const Network back = load(folder.path / "model.json", {.format = format});
      CHECK(back.layers.size() == network->layers.size());
      CHECK(back.self_test.has_value());
      if (format != Format::state_dict && format != Format::tfjs) CHECK(back.metadata.at("history") == history);
    }
}

TEST_CASE("many small values are refused before they cost more than the file and its bound") {
  const auto repeated = [](const std::string& begin, const std::string& piece, const std::string& end) {
    std::string text = begin;
    for (int k = 0; k < 1000000; ++k) text += piece;
    return text + end;
  };
  for (const std::string& text :
       {repeated(R"({"layers": [0)", ",{}", "]}"), repeated(R"({"layers": [{})", ",1", "]}"),
        repeated(R"({"layers": [{})", ",\"\"", "]}"), repeated(R"({"layers": [{})", ",[]", "]}"),
        repeated(R"({"layers": [{})", ",[1]", "]}"), repeated(R"({"layers": [{})", ",{\"a\":1}", "]}"),
        repeated(R"({"layers": [{})", ",null", "]}")})
    for (const Format format : {Format::rtneural, Format::keras, Format::nam, Format::guitarml, Format::tfjs}) {
      INFO(name(format) << ": " << text.substr(0, 40));
      const std::size_t before = heap::begin();
      CHECK_THROWS_AS(nn::io::from_bytes(text, {.format = format}), FormatError);
      CHECK(heap::peak_since(before) <= 4 * text.size() + (1 << 19));
    }
}

TEST_CASE("very many problems are counted, and the first ones told") {
  std::string text = R"({"in_shape": [1], "layers": [)";
  for (int k = 0; k < 1000; ++k)
    text += std::string(k ? ", " : "") + R"({"type": "conv1d of some sort", "shape": [1], "weights": []})";
  try {
    nn::io::from_bytes(text + "]}", {.format = Format::rtneural});
    FAIL("no error");
  } catch (const FileProblems& file) {
    CHECK(file.problems.size() >= 1000);
    CHECK_THAT(file.what(), ContainsSubstring("and ") && ContainsSubstring(" more"));
    CHECK(!file.problems[0].text.empty());
    CHECK(file.problems.back().text.empty());
  }
}

TEST_CASE("files of many tiny layers, and of many arrays") {
  std::string text = R"({"in_shape":[null,null,1],"layers":[)";
  for (int k = 0; k < 600; ++k)
    text +=
        std::string(k ? "," : "") + R"({"type":"dense","activation":"","shape":[null,null,1],"weights":[[[0.5]],[0]]})";
  CHECK(nn::io::from_bytes(text + "]}", {.format = Format::rtneural}).layers.size() == 600);

  std::string stack =
      R"({"model_data":{"input_size":1,"unit_type":"RNN","num_layers":5000,"hidden_size":1,"skip":0},"state_dict":{)";
  const auto array = [](const char* name, int level, const char* values) {
    return std::string("\"rec.") + name + "_l" + std::to_string(level) + "\":" + values + ",";
  };
  for (int k = 0; k < 5000; ++k)
    stack += array("weight_ih", k, "[[1]]") + array("weight_hh", k, "[[0]]") + array("bias_ih", k, "[0]") +
             array("bias_hh", k, "[0]");
  stack += "\"lin.weight\":[[1]],\"lin.bias\":[0]}}";
  CHECK(nn::io::from_bytes(stack, {.format = Format::guitarml}).layers.size() == 5001);
  CHECK_THROWS_WITH(nn::io::from_bytes(saved::replaced(stack, "\"RNN\"", "\"GRU\""), {.format = Format::guitarml}),
                    ContainsSubstring("found shape (1, 1), expected (3, 1)"));
  CHECK_THROWS_WITH(nn::io::from_bytes(saved::replaced(stack, "rec.bias_hh_l4999", "b"), {.format = Format::guitarml}),
                    ContainsSubstring("\"rec.bias_hh_l4999\" is missing; and 1 more"));
}

TEST_CASE("a self-test is run in the memory of one step, and no longer than in proportion to the file") {
  const auto row_of = [](const char* piece, std::size_t count) {
    std::string text = "[";
    for (std::size_t k = 0; k < count; ++k) text += (k ? "," : "") + std::string(piece);
    return text + "]";
  };
  // A test of many steps, of a layer of many units.
  const auto file = [&](std::size_t units, std::size_t steps, const char* answer) {
    const std::string test = row_of("[0]", steps);
    return R"({"in_shape":[1],"layers":[{"type":"dense","shape":[)" + std::to_string(units) + R"(],"weights":[[)" +
           row_of("0", units) + "]," + row_of("0", units) + R"(]},{"type":"dense","shape":[1],"weights":[)" +
           row_of("[0]", units) + ",[0]]}],\"self_test\":{\"input\":" + test +
           ",\"output\":" + saved::replaced(test, "[0]]", answer) + ",\"tolerance\":0}}";
  };
  const std::string wide = file(10000, 10000, "[0]]");
  const std::size_t peak = heap::peak_during([&] { nn::io::from_bytes(wide, {.format = Format::rtneural}); });
  CHECK(peak < 6 * wide.size());
  CHECK_THROWS_WITH(nn::io::from_bytes(file(100, 300, "[1]]"), {.format = Format::rtneural}),
                    ContainsSubstring("self_test: at step 299 the model answers 0 instead of 1"));

  Network large = random_network(1, {{lstm, 100}, {linear, 1}});
  large.self_test = SelfTest{zero_tensor({200000, 1}), zero_tensor({200000, 1}), 1};
  CHECK_THROWS_WITH(verify_self_test(large, "x"), ContainsSubstring("x: self_test: it has 200000 steps, and of a model "
                                                                    "of this size at most ") &&
                                                      ContainsSubstring("leave the first of them"));
  Network both = random_network(1, {{lstm, 4, true, 2}, {linear, 1}});
  both.self_test = SelfTest{zero_tensor({200000, 1}), zero_tensor({200000, 1}), 1e9};
  CHECK_THROWS_WITH(verify_self_test(both, ""), ContainsSubstring("at most 116508 are run"));
}
