// One check before any writer and after any reader, and the order of layers that a file has by name.
#include "nn/io/faults.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <set>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/layer_order.hpp"
#include "nn/io/save_load.hpp"
#include "nn/recurrent/rnn.hpp"

using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using Catch::Matchers::StartsWith;
using nn::Nonlinearity;
using nn::infer::evaluate;
using saved::Folder;
using saved::Free;
using saved::numbered;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(),
                 infinity = std::numeric_limits<double>::infinity();

std::vector<Format> all_formats() {
  std::vector<Format> result;
  for (const char* name :
       {"native", "state_dict", "rtneural", "aidax", "guitarml", "nam", "keras", "onnx", "tfjs", "safetensors"})
    result.push_back(*format_named(name));
  return result;
}

Network good() { return random_network(1, {{lstm, 8}, {linear, 1}}); }

}  // namespace

TEST_CASE("what no file may have is refused before any writer, and all of it in one text") {
  struct Case {
    std::string text;
    std::function<void(Network&)> damage;
  };
  const std::vector<Case> cases{
      {"lstm.weight_hh is NaN at (1, 2), expected a finite number",
       [](Network& n) { n.layers[0].directions[0].weight_hh.values[10] = not_a_number; }},
      {"linear.bias is infinite at (0), expected a finite number",
       [](Network& n) { n.layers[1].directions[0].bias_ih.values[0] = -infinity; }},
      {"linear.weight is 1e+300 at (0, 3), too large for float32",
       [](Network& n) { n.layers[1].directions[0].weight_ih.values[3] = 1e300; }},
      {"lstm.h0 is NaN at (0)",
       [](Network& n) {
         n.layers[0].directions[0].h0 = {{8}, {not_a_number, 0, 0, 0, 0, 0, 0, 0}};
       }},
      {"two layers are called \"lstm\"", [](Network& n) { n.layers[1].name = "lstm"; }},
      {"two layers are called \"\"", [](Network& n) { n.layers[0].name = n.layers[1].name = ""; }},
      {"\"a\\u0007\" has characters that can not be printed", [](Network& n) { n.layers[0].name = "a\a"; }},
      {"\"a\xE2\x80\xAE\" has characters that can not be printed",
       [](Network& n) { n.layers[0].name = "a\xE2\x80\xAE"; }},
      {"is not UTF-8", [](Network& n) { n.layers[0].name = "a\xFF"; }},
      {"lstm has 0 directions, expected 1 or 2", [](Network& n) { n.layers[0].directions.clear(); }},
      {"linear has 2 directions, expected 1", [](Network& n) { n.layers[1].directions.emplace_back(); }},
      {"both must be at most 1000000000", [](Network& n) { n.layers[0].size = std::size_t(1) << 62; }},
      {"weight_ih has shape (8589934592, 2147483648)",
       [](Network& n) {
         n.layers[0].directions[0].weight_ih = {{std::size_t(1) << 33, std::size_t(1) << 31}, {}};
       }},
      {"none of the enumeration", [](Network& n) { n.layers[0].kind = static_cast<Layer::Kind>(9); }},
      {"lstm is followed by relu", [](Network& n) { n.layers[0].activation = Nonlinearity::relu; }},
      {"linear has a bias_hh",
       [](Network& n) {
         n.layers[1].directions[0].bias_hh = {{1}, {1}};
       }},
      {"it has no layers", [](Network& n) { n.layers.clear(); }},
      {"a gain is nan dB", [](Network& n) { n.input_gain_db = not_a_number; }},
      {"a gain is 800", [](Network& n) { n.output_gain_db = 800; }},
  };
  for (const Format format : all_formats())
    for (const Case& c : cases) {
      INFO(name(format) << ": " << c.text);
      Network network = good();
      c.damage(network);
      const std::string begin = std::string("save (") + name(format) + "): ";
      CHECK_THROWS_WITH(nn::io::to_bytes(network, {.format = format}), StartsWith(begin) && ContainsSubstring(c.text));
      CHECK_THROWS_AS(nn::io::to_bytes(network, {.format = format}), ValueError);
      CHECK_THROWS_AS(nn::infer::Stream<float>(network), ValueError);
      CHECK_THROWS_AS(weights_of(network), ValueError);
    }

  Network network = good();
  network.layers[0].directions[0].weight_hh.values[10] = not_a_number;
  network.layers[1].directions[0].weight_ih.values[3] = 1e300;
  network.layers[1].name = "a\n";
  CHECK_THROWS_MATCHES(nn::io::to_bytes(network, {.format = Format::onnx}), ValueError,
                       Message("save (onnx): lstm.weight_hh is NaN at (1, 2), expected a finite number; "
                               "a\\n.weight is 1e+300 at (0, 3), too large for float32; "
                               "\"a\\n\" has characters that can not be printed, and is a layer's name"));

  // A double is one, where a file has doubles.
  Network wide = random_network(1, {{lstm, 8}, {linear, 1}}, Dtype::float64);
  wide.layers[1].directions[0].weight_ih.values[3] = 1e300;
  for (const Format format : all_formats()) {
    INFO(name(format));
    if (format == Format::onnx || format == Format::tfjs)
      CHECK_THROWS_WITH(nn::io::to_bytes(wide, {.format = format}), ContainsSubstring("too large for float32"));
    else
      CHECK_NOTHROW(nn::io::to_bytes(wide, {.format = format}));
  }
  // Sums of biases are numbers of the file, too.
  Network sums = good();
  sums.layers[0].directions[0].bias_ih.values[0] = sums.layers[0].directions[0].bias_hh.values[0] = 3e38;
  for (const Format format : {Format::rtneural, Format::aidax, Format::nam, Format::keras, Format::tfjs}) {
    INFO(name(format));
    CHECK_THROWS_AS(nn::io::to_bytes(sums, {.format = format}), ValueError);
  }
}

TEST_CASE("the same of the parameters of any module") {
  const Folder folder;
  const auto p = numbered<float>({2});
  auto wild = numbered<float>({2});
  wild.update([](auto& values) { values(1) = std::numeric_limits<float>::infinity(); });
  const Free<float> module{{{"", p}, {"a\x1B", p}, {"b", wild}, {"c", p}}};
  const std::string all =
      "a parameter has an empty name; \"a\\u001b\" has characters that can not be printed, and is a parameter's name; "
      "b is infinite at (1), expected a finite number";
  CHECK_THROWS_MATCHES(save(module, folder.path / "x", {.format = Format::native}), ValueError,
                       Message("save (native): " + all));
  CHECK_THROWS_MATCHES(save(module, folder.path / "x", {.format = Format::state_dict}), ValueError,
                       Message("save (state_dict): " + all));
  CHECK_THROWS_MATCHES(save(module, folder.path / "x", {.format = Format::safetensors}), ValueError,
                       Message("save (safetensors): " + all));
  CHECK(folder.files().empty());
}

TEST_CASE("readers refuse what no writer writes") {
  for (const char* text : {R"({"": [[1]]})", R"({"a\u0007.weight": [[1]]})", R"({"a\u200B.weight": [[1]]})"})
    CHECK_THROWS_AS(nn::io::from_bytes(text, {.format = Format::state_dict}), FormatError);
  CHECK_NOTHROW(nn::io::from_bytes(R"({"\u00e4.weight": [[1]]})", {.format = Format::state_dict}));
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"format": "wengert/1", "dtype": "float32", "parameters":
                                           {"a\t.weight": {"shape": [1, 1], "data": [1]}}})"),
                    ContainsSubstring("can not be printed"));
  // A number of a binary file becomes NaN, or infinite.
  constexpr float mark = 12345.5f;
  for (const Format format : {Format::onnx, Format::tfjs, Format::safetensors})
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      INFO(name(format));
      Network network = good();
      network.layers[1].directions[0].bias_ih.values[0] = static_cast<double>(mark);
      const Folder folder;
      save(network, folder.path / "model.json", {.format = format});
      for (const std::string& file : folder.files()) {
        std::string bytes = saved::bytes_of(folder.path / file);
        const std::size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&mark), sizeof mark));
        if (at == std::string::npos) continue;
        std::memcpy(bytes.data() + at, &bad, sizeof bad);
        saved::write_bytes(folder.path / file, bytes);
      }
      CHECK_THROWS_AS(load(folder.path / "model.json", {.format = format}), FormatError);
    }
}

namespace {

/// A state dict of Linear layers of these sizes, in this order.
std::string state_dict(const std::vector<std::pair<std::string, std::pair<int, int>>>& layers) {
  std::string text = "{";
  double value = 0.5;
  for (const auto& [name, sizes] : layers) {
    text += (text.size() > 1 ? ", \"" : "\"") + name + ".weight\": [";
    for (int row = 0; row < sizes.second; ++row) {
      text += row ? ", [" : "[";
      for (int column = 0; column < sizes.first; ++column)
        text += (column ? ", " : "") + std::to_string(value = -0.9 * value + 0.1);
      text += "]";
    }
    text += "]";
  }
  return text + "}";
}

std::string order_of_layers(const Network& network) {
  std::string text;
  for (const Layer& layer : network.layers) text += (text.empty() ? "" : ",") + layer.name;
  return text;
}

}  // namespace

TEST_CASE("the table in docs/formats.md is that of the code") {
  const std::string docs = saved::bytes_of(WENGERT_DOCS_DIR "/formats.md");
  CHECK_THAT(docs, ContainsSubstring(format_table()));
}

TEST_CASE("numbers in names sort as numbers") {
  CHECK(numbered_before("layers.2", "layers.10"));
  CHECK(numbered_before("layers.2.b", "layers.10.a"));
  CHECK(numbered_before("dense", "dense_1"));
  CHECK(numbered_before("fc1", "fc2"));
  CHECK_FALSE(numbered_before("layers.10", "layers.2"));
  CHECK_FALSE(numbered_before("fc1", "lstm"));
  CHECK_FALSE(numbered_before("a1", "b2"));
  const auto same = std::pair(3, 3);
  const Network twelve = nn::io::from_bytes(state_dict({{"layers.1", same},
                                                        {"layers.10", same},
                                                        {"layers.11", same},
                                                        {"layers.12", same},
                                                        {"layers.2", same},
                                                        {"layers.3", same}}));
  CHECK(order_of_layers(twelve) == "layers.1,layers.2,layers.3,layers.10,layers.11,layers.12");
  REQUIRE(!twelve.notes.empty());
  CHECK_THAT(twelve.notes[0], ContainsSubstring("by the numbers in the names"));
}

TEST_CASE("shapes tell the order, or the file is refused unless the order is given") {
  const Network told = nn::io::from_bytes(state_dict({{"decoder", {4, 2}}, {"encoder", {3, 5}}, {"middle", {5, 4}}}));
  CHECK(order_of_layers(told) == "encoder,middle,decoder");
  CHECK_THAT(told.notes.at(0), ContainsSubstring("the only one in which each reads what the one before gives"));

  const std::string open = state_dict({{"fc1", {4, 4}}, {"lstm", {4, 4}}, {"out", {4, 4}}});
  CHECK_THROWS_WITH(nn::io::from_bytes(open), ContainsSubstring("do not tell in which order") &&
                                                  ContainsSubstring("convert --order, LoadOptions::order"));
  CHECK(order_of_layers(nn::io::from_bytes(open, {.order = {"out", "fc1", "lstm"}})) == "out,fc1,lstm");
  CHECK_THROWS_WITH(nn::io::from_bytes(open, {.order = {"out", "fc1"}}),
                    ContainsSubstring("must name each of fc1,lstm,out once"));
  CHECK_THROWS_WITH(nn::io::from_bytes(open, {.order = {"out", "fc1", "fc1"}}), ContainsSubstring("must name each"));
  for (const Format told : {Format::native, Format::keras}) {
    const auto file = to_bytes(random_network(3, {{linear, 1}}), {.format = told});
    CHECK_THROWS_WITH(nn::io::from_bytes(file, {.format = told, .order = {"linear"}}),
                      ContainsSubstring("takes no other"));
  }
  CHECK_THROWS_AS(nn::io::from_bytes(state_dict({{"a", {1, 2}}, {"b", {1, 2}}}), {.order = {"b", "a"}}), FormatError);
  // One input and one output: the head may come first, too.
  const auto sorted = nlohmann::json::parse(nn::io::to_bytes(good(), {.format = Format::state_dict})).dump();
  CHECK_THROWS_WITH(nn::io::from_bytes(sorted), ContainsSubstring("linear,lstm or lstm,linear"));
  CHECK(nn::io::from_bytes(sorted, {.order = {"lstm", "linear"}}).layers[0].kind == lstm);
  // A self-test tells them apart.
  const auto tested =
      nlohmann::json::parse(nn::io::to_bytes(good(), {.format = Format::state_dict, .self_test = true})).dump();
  CHECK(nn::io::from_bytes(tested).layers[0].kind == lstm);
  CHECK_THAT(nn::io::from_bytes(tested).notes.at(0), ContainsSubstring("passes the file's self-test"));
  // The order of a file that is not sorted is that of the model.
  CHECK(order_of_layers(nn::io::from_bytes(state_dict({{"b", {4, 4}}, {"a", {4, 4}}, {"c", {4, 4}}}))) == "b,a,c");
}

TEST_CASE("capitals do not make an order") {
  const auto same = std::pair(3, 3);
  CHECK(sorted_by_name({"dense.bias", "dense.weight", "LSTM.bias"}));
  CHECK(sorted_by_name({"a2", "B10", "b20"}));
  CHECK_FALSE(sorted_by_name({"LSTM.bias", "dense.weight", "dense.bias"}));
  CHECK_THROWS_WITH(nn::io::from_bytes(state_dict({{"dense", same}, {"LSTM", same}})),
                    ContainsSubstring("do not tell in which order"));
  CHECK(order_of_layers(nn::io::from_bytes(state_dict({{"dense", {4, 3}}, {"LSTM", {3, 4}}, {"out", {3, 1}}}))) ==
        "LSTM,dense,out");
}

TEST_CASE("the order of a safetensors file is that of the model, unless its writer sorts") {
  struct Array {
    std::string name, type;
    std::size_t begin, end;
  };
  const auto file = [](const std::vector<Array>& arrays) {
    std::string header = "{";
    std::size_t size = 0;
    for (const Array& array : arrays) {
      header += (header.size() > 1 ? "," : "") + ('"' + array.name) + R"(":{"dtype":")" + array.type +
                R"(","shape":[2,2],"data_offsets":[)" + std::to_string(array.begin) + "," + std::to_string(array.end) +
                "]}";
      size = std::max(size, array.end);
    }
    header += "}";
    const std::uint64_t length = header.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(size, '\0');
  };
  using Arrays = std::vector<Array>;
  CHECK(order_of_layers(nn::io::from_bytes(file({{"c.weight", "F32", 0, 16}, {"a.weight", "F32", 16, 32}}))) == "c,a");
  for (const Arrays& arrays :
       {Arrays{{"out.weight", "BF16", 0, 8}, {"fc.weight", "F16", 8, 16}, {"lstm.weight", "F16", 16, 24}},
        Arrays{{"out.weight", "F32", 0, 16}, {"fc.weight", "F16", 16, 24}, {"lstm.weight", "F16", 24, 32}},
        Arrays{{"c.weight", "F32", 32, 48}, {"a.weight", "F32", 0, 16}, {"b.weight", "F32", 16, 32}}}) {
    INFO(arrays[0].name);
    CHECK_THROWS_WITH(nn::io::from_bytes(file(arrays)), ContainsSubstring("do not tell in which order"));
  }
}

TEST_CASE("long names that end in numbers are in the order of these") {
  const std::string sevens = [] {
    std::string text;
    for (int k = 0; k < 1000; ++k) text += "7.";
    return text;
  }();
  std::vector<std::pair<std::string, std::pair<int, int>>> layers;
  for (int k = 0; k < 900; ++k) layers.push_back({sevens + std::to_string(k), {1, 1}});
  std::sort(layers.begin(), layers.end());
  const std::string text = state_dict(layers);
  CHECK(nn::io::from_bytes(text).layers[10].name == sevens + "10");
}

TEST_CASE("orders by number are those of every pair of names") {
  std::mt19937_64 random(3);
  const auto pick = [&](const std::string& letters) { return letters[random() % letters.size()]; };
  for (int round = 0; round < 300; ++round) {
    std::set<std::string> names;
    while (names.size() < 6) {
      std::string name;
      for (std::size_t k = 1 + random() % 4; k-- > 0;) name += pick("a_012");
      names.insert(name);
    }
    std::vector<Part> parts;
    for (const std::string& name : names) parts.push_back({name, 1, 1});
    std::vector<std::size_t> order{0, 1, 2, 3, 4, 5};
    std::vector<std::vector<std::size_t>> fitting;
    do {
      bool fits = true;
      for (std::size_t b = 0; b < order.size(); ++b)
        for (std::size_t a = 0; a < b; ++a) fits = fits && !numbered_before(parts[order[b]].name, parts[order[a]].name);
      if (fits && fitting.size() < 2) fitting.push_back(order);
    } while (std::next_permutation(order.begin(), order.end()));
    if (fitting.size() == 1)
      CHECK(order_of(parts, true, {}, {}).parts == fitting[0]);
    else
      CHECK_THROWS_AS(order_of(parts, true, {}, {}), ValueError);
  }
}

TEST_CASE("very many layers in no order") {
  std::vector<std::pair<std::string, std::pair<int, int>>> layers;
  for (int k = 0; k < 900; ++k) layers.push_back({"layers." + std::to_string(k), {1, 1}});
  std::sort(layers.begin(), layers.end());
  const Network network = nn::io::from_bytes(state_dict(layers));
  CHECK(network.layers[10].name == "layers.10");
  for (int k = 0; k < 900; ++k)
    layers[static_cast<std::size_t>(k)].first =
        std::string(1, static_cast<char>('a' + k / 100)) + std::string(static_cast<std::size_t>(k % 100) + 1, 'z');
  std::sort(layers.begin(), layers.end());
  CHECK_THROWS_WITH(nn::io::from_bytes(state_dict(layers)), ContainsSubstring("do not tell in which order"));
}

TEST_CASE("an RNN of bare arrays is read with the nonlinearity that is given") {
  nn::Generator generator(1);
  const Folder folder;
  const auto path = folder.path / "model";
  const nn::RNN<float> relu({.input_size = 2, .hidden_size = 3, .nonlinearities = {.hidden = nn::Nonlinearity::relu}},
                            generator);
  for (const Format format : {Format::state_dict, Format::safetensors}) {
    save(relu, path, {.format = format});
    CHECK(load(path).layers[0].activation == Nonlinearity::relu);  // the file says so
  }
  const std::string bare = R"({"weight_ih_l0": [[1, 2]], "weight_hh_l0": [[0.5]]})";
  CHECK_THROWS_WITH(nn::io::from_bytes(bare), ContainsSubstring("nothing says whether with tanh or relu"));
  CHECK(nn::io::from_bytes(bare, {.nonlinearity = Nonlinearity::relu}).layers[0].activation == Nonlinearity::relu);
  CHECK(nn::io::from_bytes(bare, {.nonlinearity = Nonlinearity::tanh}).layers[0].activation == Nonlinearity::tanh);

  // Where it would change nothing, it is refused.
  save(relu, path, {.format = Format::state_dict});
  CHECK_THROWS_WITH(load(path, {.nonlinearity = Nonlinearity::tanh}),
                    ContainsSubstring("takes no other nonlinearity (convert --nonlinearity"));
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"weight": [[1, 2]]})", {.nonlinearity = Nonlinearity::tanh}),
                    ContainsSubstring("there is no RNN"));
  const Network network = network_of(weights_of(relu, ""));
  CHECK_THROWS_WITH(
      nn::io::from_bytes(nn::io::to_bytes(network, {.format = Format::keras}), {.nonlinearity = Nonlinearity::tanh}),
      ContainsSubstring("takes no other nonlinearity (convert --nonlinearity"));
}
