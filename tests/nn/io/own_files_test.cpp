// Our own files are read, however many layers they have and however small these are, and many small values in a file of
// anybody's cost no more than a bound in its size.
#include <cstring>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "heap.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/io/dialect.hpp"

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
  using enum Dialect;
  struct Case {
    std::vector<Spec> specs;
    std::vector<Dialect> dialects;
  };
  for (const std::size_t count : {21, 41, 99, 500})
    for (const Case& c :
         std::vector<Case>{{rows(linear, count, false), {native, state_dict, rtneural, keras, onnx, tfjs, safetensors}},
                           {rows(lstm, count, false), {native, state_dict, rtneural, keras, onnx, tfjs, safetensors}},
                           {rows(gru, count, false), {native, state_dict, rtneural, keras, onnx, safetensors}},
                           {rows(rnn, count, false), {native, state_dict, keras, onnx, tfjs, safetensors}},
                           {rows(lstm, count, true), {nam}},
                           {rows(lstm, std::min<std::size_t>(count, 99), true), {guitarml}}})
      for (const Dialect dialect : c.dialects) {
        INFO(name(dialect) << ", " << count << " of " << name(c.specs[0].kind));
        Network network = random_network(1, c.specs);
        if (c.specs[0].kind == linear)  // each is a module
          for (std::size_t k = 0; k < network.layers.size(); ++k) network.layers[k].name = "l" + std::to_string(k);
        const Folder folder;
        save(network, dialect, folder.path / "model.json", {.metadata = {{"a", "b"}}});
        const Network back = load(folder.path / "model.json", dialect);
        REQUIRE(back.layers.size() == network.layers.size());
        CHECK(back.layers.back().directions[0].weight_ih.values.size() ==
              network.layers.back().directions[0].weight_ih.values.size());
      }
}

TEST_CASE("many small values are refused before they cost more than the file and its bound") {
  const auto repeated = [](const std::string& begin, const std::string& piece, const std::string& end) {
    std::string text = begin;
    for (int k = 0; k < 100000; ++k) text += piece;
    return text + end;
  };
  for (const std::string& text :
       {repeated(R"({"layers": [0)", ",{}", "]}"), repeated(R"({"layers": [{})", ",1", "]}"),
        repeated(R"({"layers": [{})", ",\"\"", "]}"), repeated(R"({"layers": [{})", ",[]", "]}"),
        repeated(R"({"layers": [{})", ",[1]", "]}"), repeated(R"({"layers": [{})", ",{\"a\":1}", "]}"),
        repeated(R"({"layers": [{})", ",null", "]}")})
    for (const Dialect dialect : {Dialect::rtneural, Dialect::keras, Dialect::nam, Dialect::guitarml, Dialect::tfjs}) {
      INFO(name(dialect) << ": " << text.substr(0, 40));
      const std::size_t before = heap::begin();
      CHECK_THROWS_AS(nn::io::read(text, dialect), FormatError);
      CHECK(heap::peak_since(before) <= 4 * text.size() + (1 << 16));
    }
}

TEST_CASE("very many problems are counted, and the first ones told") {
  std::string text = R"({"in_shape": [1], "layers": [)";
  for (int k = 0; k < 1000; ++k)
    text += std::string(k ? ", " : "") + R"({"type": "conv1d of some sort", "shape": [1], "weights": []})";
  try {
    nn::io::read(text + "]}", Dialect::rtneural);
    FAIL("no error");
  } catch (const FileProblems& file) {
    CHECK(file.problems.size() >= 1000);
    CHECK_THAT(file.what(), ContainsSubstring("and ") && ContainsSubstring(" more"));
    CHECK(!file.problems[0].text.empty());
    CHECK(file.problems.back().text.empty());
  }
}
