// Other programs' formats: the table of layouts both ways, files run by independent readers, and what is refused.
#include <nlohmann/json.hpp>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/layout.hpp"
#include "nn/io/save_load.hpp"
#include "nn/linear.hpp"
#include "nn/recurrent/lstm.hpp"

using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using nlohmann::json;
using nn::Nonlinearity;
using nn::infer::evaluate;
using saved::Folder;

namespace {

constexpr Format all[]{Format::native, Format::state_dict, Format::rtneural, Format::aidax, Format::guitarml,
                       Format::nam,    Format::keras,      Format::onnx,     Format::tfjs,  Format::safetensors};

std::string text_of(const Network& network, Format format, SaveOptions options = {}) {
  options.format = format;
  return to_bytes(network, options);
}

Tensor question(const Network& network, std::size_t steps = 20) {
  Random random(99);
  return random.tensor({steps, network.input_size()});
}

Rows answer(const Network& network) { return rows_of(evaluate(network, question(network))); }

/// Written to a file and read again, as the format and as any.
Network again(const Network& network, Format format, SaveOptions options = {}) {
  const Folder folder;
  const auto path = folder.path / "model.json";
  options.format = format;
  save(network, path, options);
  const Network loaded = load(path);
  CHECK(detect(path) == format);
  const Network same = load(path, {.format = format});
  CHECK(named_tensors(same) == named_tensors(loaded));
  return loaded;
}

std::string replaced_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;) text.replace(at, from.size(), to);
  return text;
}

std::string number_text(double value) { return json(value).dump(); }

template <class T>
struct Model {
  nn::LSTM<T> rec;
  nn::Linear<T> lin;
  explicit Model(std::uint64_t seed, bool bias = true) : Model(nn::Generator(seed), bias) {}
  Model(nn::Generator generator, bool bias)
      : rec({.input_size = 1, .hidden_size = 8, .bias = bias}, generator), lin(8, 1, generator) {}
  static void visit(auto& self, auto&& visitor) {
    visitor("rec", self.rec);
    visitor("lin", self.lin);
  }
};

}  // namespace

TEST_CASE("the table of layouts, number by number") {
  // With H = 1 and one input a block is a number: here i, f, g, o = 1, 2, 3, 4 of W, 5 to 8 of U, 10 to 40 and 1 to 4.
  Layer layer{.kind = lstm, .input_size = 1, .size = 1};
  const Arrays arrays{.weight_ih = {{4, 1}, {1, 2, 3, 4}},
                      .weight_hh = {{4, 1}, {5, 6, 7, 8}},
                      .bias_ih = {{4}, {10, 20, 30, 40}},
                      .bias_hh = {{4}, {1, 2, 3, 4}}};
  const auto f32 = Dtype::float32;
  CHECK(to_layout(layer, arrays, keras_layout, f32) ==
        std::vector<Tensor>{{{1, 4}, {1, 2, 3, 4}}, {{1, 4}, {5, 6, 7, 8}}, {{4}, {11, 22, 33, 44}}});
  CHECK(to_layout(layer, arrays, nam_layout, f32) ==
        std::vector<Tensor>{{{4, 1}, {1, 2, 3, 4}}, {{4, 1}, {5, 6, 7, 8}}, {{4}, {11, 22, 33, 44}}});
  CHECK(to_layout(layer, arrays, onnx_layout, f32) ==
        std::vector<Tensor>{{{4, 1}, {1, 4, 2, 3}}, {{4, 1}, {5, 8, 6, 7}}, {{8}, {10, 40, 20, 30, 1, 4, 2, 3}}});
  CHECK(to_layout(layer, arrays, torch_layout, f32) ==
        std::vector<Tensor>{arrays.weight_ih, arrays.weight_hh, arrays.bias_ih, arrays.bias_hh});

  layer.kind = gru;
  const Arrays gates{.weight_ih = {{3, 1}, {1, 2, 3}},  // r, z, n
                     .weight_hh = {{3, 1}, {5, 6, 7}},
                     .bias_ih = {{3}, {10, 20, 30}},
                     .bias_hh = {{3}, {1, 2, 3}}};
  CHECK(to_layout(layer, gates, keras_layout, f32) ==
        std::vector<Tensor>{{{1, 3}, {2, 1, 3}}, {{1, 3}, {6, 5, 7}}, {{2, 3}, {20, 10, 30, 2, 1, 3}}});
  CHECK(to_layout(layer, gates, onnx_layout, f32) ==
        std::vector<Tensor>{{{3, 1}, {2, 1, 3}}, {{3, 1}, {6, 5, 7}}, {{6}, {20, 10, 30, 2, 1, 3}}});
  CHECK_THROWS_WITH(to_layout(layer, gates, nam_layout, f32), ContainsSubstring("can not be summed"));
  layer.reset_after = false;
  CHECK(to_layout(layer, gates, keras_layout, f32) ==
        std::vector<Tensor>{{{1, 3}, {2, 1, 3}}, {{1, 3}, {6, 5, 7}}, {{3}, {22, 11, 33}}});

  const Layer dense{.input_size = 2, .size = 3};
  const Arrays matrix{.weight_ih = {{3, 2}, {1, 2, 3, 4, 5, 6}}};
  CHECK(to_layout(dense, matrix, keras_layout, f32) ==
        std::vector<Tensor>{{{2, 3}, {1, 3, 5, 2, 4, 6}}, {{3}, {0, 0, 0}}});

  // A sum of two floats is a float in a float32 file.
  Layer one{.kind = rnn, .input_size = 1, .size = 1};
  const Arrays sums{
      .weight_ih = {{1, 1}, {1}}, .weight_hh = {{1, 1}, {1}}, .bias_ih = {{1}, {1}}, .bias_hh = {{1}, {0x1p-30}}};
  CHECK(to_layout(one, sums, keras_layout, f32)[2].values[0] == 1);
  CHECK(to_layout(one, sums, keras_layout, Dtype::float64)[2].values[0] == 1 + 0x1p-30);
}

TEST_CASE("every layout comes back, of every kind of layer") {
  for (const Layout& layout : {torch_layout, keras_layout, onnx_layout, nam_layout})
    for (const Spec& spec : {Spec{lstm, 5}, Spec{gru, 5}, Spec{gru, 5, false}, Spec{rnn, 5}, Spec{linear, 5}}) {
      if (layout.gru.empty() && spec.kind == gru) continue;
      const Layer layer = random_network(3, {spec}).layers[0];
      const auto there = to_layout(layer, layer.directions[0], layout, Dtype::float32);
      const auto shapes = layout_shapes(layer, layout);
      REQUIRE(there.size() == shapes.size());
      for (std::size_t k = 0; k < there.size(); ++k) {
        CHECK(there[k].shape == shapes[k]);
        CHECK(there[k].values.size() == shapes[k].elements());
      }
      const Arrays back = from_layout(layer, there, layout);
      CHECK(back.weight_ih == layer.directions[0].weight_ih);
      CHECK(back.weight_hh == layer.directions[0].weight_hh);
      CHECK(to_layout(layer, back, layout, Dtype::float32) == there);
    }
}

TEST_CASE("files of RTNeural and NAM, run by readers of their own") {
  for (const Network& network :
       {random_network(1, {{lstm, 8}, {linear, 1}}), random_network(3, {{lstm, 5}, {lstm, 4}, {linear, 2}}),
        random_network(2, {{gru, 6}, {linear, 3, true, 1, Nonlinearity::tanh}, {linear, 1}}),
        random_network(1, {{linear, 4, true, 1, Nonlinearity::relu}, {gru, 3}, {lstm, 2}})})
    CHECK(largest_difference(run_rtneural(text_of(network, Format::rtneural), rows_of(question(network))),
                             answer(network)) < 1e-6);

  for (const std::size_t burn_in : {0, 100}) {
    const Network network = random_network(1, {{lstm, 3}, {lstm, 3}, {linear, 1}});
    const Network burnt = nn::infer::burnt_in(network, burn_in);
    const std::string text = text_of(network, Format::nam, {.burn_in = burn_in});
    CHECK(largest_difference(run_nam(text, rows_of(question(network))), answer(burnt)) < 1e-6);
    CHECK((largest_difference(answer(burnt), answer(network)) > 1e-3) == (burn_in > 0));
  }
  // The count of the program's own sample: H = 3, one layer, one input.
  const json sample = json::parse(text_of(random_network(1, {{lstm, 3}, {linear, 1}}), Format::nam));
  CHECK(sample["weights"].size() == 70);
  CHECK(sample["sample_rate"] == 48000);
}

TEST_CASE("files of Keras and GuitarML, run by readers of their own") {
  for (const bool reset_after : {true, false}) {
    const Network network = random_network(2, {{gru, 5, reset_after}, {rnn, 4}, {linear, 2}});
    const json file = json::parse(text_of(network, Format::keras));
    CHECK(file["config"]["layers"][0]["config"]["batch_shape"] == json::parse("[null, null, 2]"));
    CHECK(file["config"]["layers"][1]["config"]["reset_after"] == reset_after);
    const auto arrays = [](const json& named) {
      json list = {named["kernel"], named.value("recurrent_kernel", json()), named["bias"]};
      if (list[1].is_null()) list.erase(1);
      return list;
    };
    std::vector<KerasLayer> layers;
    layers.emplace_back("gru", arrays(file["weights"]["gru"]), reset_after);
    layers.emplace_back("rnn", arrays(file["weights"]["rnn"]));
    layers.emplace_back("dense", arrays(file["weights"]["linear"]), true, "");
    CHECK(largest_difference(networks::run(layers, rows_of(question(network))), answer(network)) < 1e-6);
  }
  Network network = random_network(1, {{lstm, 4}, {lstm, 4}, {linear, 1}});
  network.skip = 1;
  const json file = json::parse(text_of(network, Format::guitarml));
  CHECK(file["model_data"] == json::parse(R"({"model": "SimpleRNN", "input_size": 1, "skip": 1, "output_size": 1,
      "unit_type": "LSTM", "num_layers": 2, "hidden_size": 4, "bias_fl": true})"));
  CHECK(file["state_dict"]["rec.weight_hh_l1"].size() == 16);
  CHECK(file["state_dict"]["lin.weight"].size() == 1);
  CHECK(file["state_dict"]["rec.bias_hh_l0"][3] ==
        Catch::Detail::Approx(network.layers[0].directions[0].bias_hh.values[3]));
  CHECK(file["state_dict"].size() == 10);
}

TEST_CASE("every format that can express a network reads back what it wrote") {
  struct Case {
    Network network;
    std::vector<Format> formats;
  };
  using enum Format;
  Network skipping = random_network(1, {{lstm, 40}, {linear, 1}});
  skipping.skip = 1;
  Network loud = skipping;
  loud.input_gain_db = -6;
  loud.output_gain_db = 3;
  const std::vector<Case> cases{
      {random_network(1, {{lstm, 8}, {linear, 1}}),
       {native, state_dict, rtneural, aidax, guitarml, nam, keras, onnx, tfjs, safetensors}},
      {random_network(3, {{gru, 5}, {linear, 2}}), {native, state_dict, rtneural, guitarml, keras, onnx, safetensors}},
      {random_network(3, {{gru, 5, false}, {linear, 2}}), {native, keras, onnx, tfjs}},
      {random_network(2, {{rnn, 4}, {rnn, 4}, {linear, 1}}),
       {native, state_dict, guitarml, keras, onnx, tfjs, safetensors}},
      {random_network(2, {{rnn, 4, true, 1, Nonlinearity::relu}, {linear, 1}}), {native, keras, onnx, tfjs}},
      {random_network(2, {{lstm, 4, true, 2}, {lstm, 4, true, 2}, {gru, 3, true, 2}, {linear, 1}}),
       {native, state_dict, keras, onnx, safetensors}},
      {random_network(2, {{lstm, 4, true, 2}, {gru, 3, false, 2}, {rnn, 3, true, 2}, {linear, 1}}),
       {native, keras, onnx, tfjs}},
      {random_network(2, {{lstm, 6, true, 1, Nonlinearity::identity, 2}, {linear, 1}}),
       {native, state_dict, safetensors}},
      {random_network(
           2, {{lstm, 6}, {linear, 5, true, 1, Nonlinearity::relu}, {linear, 3, true, 1, Nonlinearity::softmax}}),
       {rtneural, keras, onnx, tfjs}},
      {skipping, {aidax, guitarml, onnx}},
      {loud, {aidax, onnx}},
      {nn::infer::burnt_in(random_network(1, {{lstm, 8}, {linear, 1}}), 30), {nam}},
  };
  const Metadata notes{{"maker", "\xC3\xA4 \"x\""}};
  for (const Case& c : cases)
    for (const Format format : all) {
      INFO(name(format) << " case " << &c - cases.data());
      const bool can = std::find(c.formats.begin(), c.formats.end(), format) != c.formats.end();
      if (!can && format == state_dict && c.network.layers[0].kind == rnn) continue;  // says tanh or relu nowhere
      if (!can && format == safetensors && c.network.layers[0].kind == rnn) continue;
      if (!can) {
        const std::string begin = std::string("save (") + name(format) + "): ";
        CHECK_THROWS_WITH(text_of(c.network, format), Catch::Matchers::StartsWith(begin));
        CHECK_THROWS_AS(text_of(c.network, format), ValueError);
        continue;
      }
      for (const bool self_test : {false, true}) {
        const Network back =
            again(c.network, format, {.metadata = format == state_dict ? Metadata{} : notes, .self_test = self_test});
        CHECK(largest_difference(answer(back), answer(c.network)) < 1e-6);
        CHECK(back.self_test.has_value() == self_test);
        if (format != state_dict) CHECK(back.metadata.at("maker") == "\xC3\xA4 \"x\"");
        CHECK(again(back, format).layers.size() == c.network.layers.size());
        CHECK(named_tensors(again(back, format)) == named_tensors(back));
      }
    }
}

TEST_CASE("files of doubles stay doubles, and floats take 12 bytes a number") {
  const Network wide = random_network(2, {{lstm, 20}, {linear, 1}}, Dtype::float64);
  for (const Format format :
       {Format::native, Format::state_dict, Format::guitarml, Format::rtneural, Format::keras, Format::safetensors}) {
    INFO(name(format));
    const Network back = again(wide, format);
    CHECK(back.dtype == Dtype::float64);
    CHECK(back.layers[0].directions[0].weight_ih == wide.layers[0].directions[0].weight_ih);
  }
  Network rounded_down = wide;
  set_dtype(rounded_down, Dtype::float32);
  CHECK(again(rounded_down, Format::safetensors).dtype == Dtype::float32);
  CHECK(rounded_down.layers[0].directions[0].bias_hh.values[3] ==
        static_cast<double>(static_cast<float>(wide.layers[0].directions[0].bias_hh.values[3])));
  CHECK(rounded_down.layers[0].directions[0].bias_hh != wide.layers[0].directions[0].bias_hh);
  const Network narrow = random_network(2, {{lstm, 60}, {linear, 1}});
  const std::size_t count = narrow.parameter_count();
  for (const Format format : {Format::native, Format::state_dict}) {
    const std::string text = text_of(narrow, format);
    CHECK(text.size() < 13 * count + 1000);
    CHECK(nn::io::from_bytes(text).dtype == Dtype::float32);
  }
  // As Python writes floats: each as a double. They are floats still.
  std::string python = R"({"weight_ih_l0": [)";
  for (int row = 0; row < 3; ++row)
    python += (row ? ", [" : "[") + number_text(static_cast<double>(0.1f * static_cast<float>(row + 1))) + "]";
  python += R"(], "weight_hh_l0": [[0.5], [0.25], [0.125]]})";
  const Network read_back = nn::io::from_bytes(python);
  CHECK(read_back.dtype == Dtype::float32);
  CHECK(read_back.layers[0].kind == gru);
  CHECK(read_back.layers[0].directions[0].weight_ih.values[0] == static_cast<double>(0.1f));
}

TEST_CASE("without a type, numbers are floats if each is one, or the text of one") {
  const auto read = [](const std::string& number) {
    return nn::io::from_bytes(R"({"a.weight": [[0.5, )" + number + "]]}");
  };
  for (const char* const number :
       {"0.1", "-0.1", "0.10000000149011612", "16777216", "16777218.0", "123456790.0", "1e-45", "1.17549435e-38",
        "3.4028235e+38", "3.4028234663852886e38", "0.30000001", "0.10000000", "0", "-0.0", "7.038531E-26"}) {
    INFO(number);
    CHECK(read(number).dtype == Dtype::float32);
  }
  for (const char* const number : {"16777217", "-16777217.0", "100000001", "1.00000001", "1e-300", "-1e-46", "1e300",
                                   "3.5e38", "0.12345678901234566", "8.589973e9"}) {
    INFO(number);
    const Network network = read(number);
    CHECK(network.dtype == Dtype::float64);
    CHECK(network.layers[0].directions[0].weight_ih.values[1] == std::stod(number));
  }
  CHECK(nn::io::from_bytes(R"({"a.weight": [[1e300, 0.12345678901234566]]})").dtype == Dtype::float64);
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"a.weight": [[1e300]]})", {.dtype = Dtype::float32}),
                    ContainsSubstring("too large for float32"));
}

TEST_CASE("a bare state dict, whatever its prefixes") {
  const Network network = random_network(2, {{lstm, 3, true, 2}, {lstm, 3, true, 2}, {linear, 1}});
  json file = json::parse(text_of(network, Format::state_dict));
  json moved;
  for (const auto& [key, value] : file.items()) moved["module.core." + key] = value;
  const Network back = nn::io::from_bytes(moved.dump());
  CHECK(largest_difference(answer(back), answer(network)) < 1e-12);
  CHECK(back.layers[0].name == "module.core.lstm");

  // Sorted names say nothing of the order; others do.
  const Network model = random_network(1, {{lstm, 3}, {linear, 1}});
  const json sorted = json::parse(text_of(model, Format::state_dict));
  CHECK_THROWS_WITH(nn::io::from_bytes(sorted.dump()), ContainsSubstring("do not tell in which order"));
  CHECK(nn::io::from_bytes(sorted.dump(), {.order = {"lstm", "linear"}}).layers[0].kind == lstm);
  const Network reversed = random_network(3, {{linear, 1}, {lstm, 3}});
  CHECK(nn::io::from_bytes(replaced_all(text_of(reversed, Format::state_dict), "linear.", "z.")).layers[0].kind ==
        linear);

  const std::string text = R"({"a.weight": [[1, 2], [3, 4], [5, 6]], "a.bias": [1, 2, 3], "b.weight": [[1, 0, 1]]})";
  CHECK(answer(nn::io::from_bytes(text)).size() == 20);
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"norm.weight": [1, 2], "a.weight": [[1, 2]]})"),
                    ContainsSubstring("norm.weight (2) belongs to no LSTM, GRU, RNN or Linear layer"));
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"x.weight_ih_l0": [[1], [2]], "x.weight_hh_l0": [[1], [2]]})"),
                    ContainsSubstring("x.weight_hh_l0 has shape (2, 1), expected (4 H, H) of an LSTM"));
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"a.weight": [[1, 2]], "b.weight": [[1, 2]]})"),
                    ContainsSubstring("b reads 2 features, and the layer before, a, has 1"));
}

TEST_CASE("refusals say what, and what to do") {
  const auto refused = [](const Network& network, Format format, const std::string& text) {
    CHECK_THROWS_MATCHES(text_of(network, format), ValueError, Message(text));
  };
  refused(random_network(1, {{lstm, 8, true, 2}, {linear, 1}}), Format::rtneural,
          "save (rtneural): lstm is bidirectional, which an RTNeural model can not express; native, state_dict, keras, "
          "onnx, tfjs, safetensors can; write one of these");
  refused(random_network(1, {{gru, 8}, {linear, 1}}), Format::nam,
          "save (nam): gru is a GRU that resets after the product, which a Neural Amp Modeler (.nam) model can not "
          "express; native, "
          "state_dict, rtneural, aidax, guitarml, keras, onnx, safetensors can; write one of these");
  refused(
      random_network(1, {{gru, 8}, {linear, 1}}), Format::tfjs,
      "save (tfjs): gru is a GRU that resets after the product, which a TensorFlow.js model can not express; native, "
      "state_dict, rtneural, aidax, guitarml, keras, onnx, safetensors can; write one of these");
  refused(
      nn::infer::burnt_in(random_network(1, {{lstm, 8}, {linear, 1}}), 9), Format::guitarml,
      "save (guitarml): lstm starts from a state that is not zero, which a GuitarML model can not express; nam can, "
      "or start "
      "from zeros (convert --zero-state, SaveOptions::zero_state)");
  CHECK_NOTHROW(text_of(nn::infer::burnt_in(random_network(1, {{lstm, 8}, {linear, 1}}), 9), Format::guitarml,
                        {.zero_state = true}));
  refused(random_network(1, {{lstm, 9}, {linear, 1}}), Format::aidax,
          "save (aidax): AIDA-X has no hidden size of 9, only 8, 12, 16, 20, 24, 32, 40, 64 and 80");
  refused(random_network(1, {{lstm, 8}, {lstm, 6}, {linear, 1}}), Format::nam,
          "save (nam): a Neural Amp Modeler (.nam) model is LSTM layers of one size, and a linear layer, and this is "
          "something else; native, state_dict, rtneural, keras, onnx, tfjs, safetensors can; write one of these");
  refused(random_network(1, {{lstm, 8}}), Format::nam,
          "save (nam): a Neural Amp Modeler (.nam) model is LSTM layers of one size, and a linear layer, and this is "
          "something else; an nn::Linear is missing at its end; native, state_dict, rtneural, keras, onnx, tfjs, "
          "safetensors can; write one of these");
  refused(
      random_network(4, {{lstm, 8}, {linear, 1}}), Format::aidax,
      "save (aidax): an AIDA-X model is one LSTM or GRU with up to 3 inputs, and a linear layer with one output, and "
      "this is something else; native, state_dict, rtneural, guitarml, nam, keras, onnx, tfjs, safetensors can; "
      "write one of these");
  refused(
      random_network(1, {{rnn, 8}, {rnn, 4}, {linear, 1}}), Format::guitarml,
      "save (guitarml): a GuitarML model is a stack of LSTM, GRU or RNN layers of one size, and a linear layer, and "
      "this is something else; native, state_dict, keras, onnx, tfjs, safetensors can; write one of these");
  Network partly = random_network(2, {{lstm, 8}, {linear, 2}});
  partly.skip = 1;
  refused(partly, Format::onnx,
          "save (onnx): of the inputs 1 are added to the first of 2 outputs, and only as many inputs as outputs can be "
          "added "
          "in any format");
  Network wild = random_network(1, {{lstm, 8}, {linear, 1}});
  wild.layers[0].directions[0].weight_hh.values[9] = std::nan("");
  for (const Format format : {Format::native, Format::rtneural, Format::nam, Format::state_dict})
    CHECK_THROWS_WITH(text_of(wild, format), ContainsSubstring("is NaN at ("));
  CHECK_THROWS_WITH(text_of(Network{}, Format::onnx), "save (onnx): it has no layers");
}

TEST_CASE("a file of another format is named") {
  const Folder folder;
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  for (const Format written : all)
    for (const Format wanted : all) {
      const auto family = [](Format d) { return d == Format::aidax ? Format::rtneural : d; };
      if (family(written) == family(wanted)) continue;
      save(network, folder.path / "file", {.format = written});
      CHECK_THROWS_WITH(load(folder.path / "file", {.format = wanted}),
                        ContainsSubstring(std::string("read it as ") + name(written)));
    }
  CHECK_THROWS_WITH(nn::io::from_bytes("PK\x03\x04"), ContainsSubstring("a PyTorch checkpoint or another archive"));
  CHECK_THROWS_WITH(nn::io::from_bytes("\x89HDF"), ContainsSubstring("a Keras (HDF5) model"));
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"architecture": 1, "image_data_format": 2})"),
                    ContainsSubstring("frugally-deep"));
  CHECK_THROWS_WITH(nn::io::from_bytes(R"({"a": 1})"),
                    ContainsSubstring("it is nothing that is known here: native, state_dict"));
}

TEST_CASE("a self-test is checked wherever a file is read") {
  const Folder folder;
  const auto path = folder.path / "model.json";
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  for (const Format format : {Format::native, Format::state_dict, Format::rtneural, Format::aidax, Format::guitarml,
                              Format::nam, Format::keras}) {
    INFO(name(format));
    save(network, path, {.format = format, .self_test = true});
    std::string text = saved::bytes_of(path);
    // One digit of one weight changes.
    const std::size_t from = text.find(format == Format::native ? "\"data\": ["
                                       : format == Format::nam  ? "\"weights\": ["
                                                                : "[[");
    const std::size_t digit = text.find_first_of("123456789", from + 12);
    REQUIRE(digit != std::string::npos);
    text[digit] = text[digit] == '9' ? '1' : static_cast<char>(text[digit] + 1);
    saved::write_bytes(path, text);
    CHECK_THROWS_WITH(load(path), ContainsSubstring("self_test: at step "));
    CHECK_NOTHROW(load(path, {.format = format, .verify = false}));
  }
  Model<float> model(1), other(2);
  save(model, path, {.format = Format::native, .self_test = true});
  load(other, path);
  CHECK(saved::bits(other) == saved::bits(model));
  std::string text = saved::bytes_of(path);
  const std::size_t at = text.find_first_of("123456789", text.find("\"data\": [") + 12);
  text[at] = text[at] == '9' ? '1' : static_cast<char>(text[at] + 1);
  saved::write_bytes(path, text);
  const std::string before = saved::state(other);
  CHECK_THROWS_WITH(load(other, path, {.format = Format::native}),
                    ContainsSubstring("load (native): self_test: at step "));
  CHECK(saved::state(other) == before);
}

TEST_CASE("a cell keeps its names") {
  nn::Generator generator(1);
  nn::LSTMCell<float> cell({.input_size = 3, .hidden_size = 4}, generator),
      other({.input_size = 3, .hidden_size = 4}, generator);
  const Folder folder;
  save(cell, folder.path / "model", {.format = Format::rtneural});
  REQUIRE(saved::bits(cell) != saved::bits(other));
  load(other, folder.path / "model", {.format = Format::rtneural});
  CHECK(std::equal(cell.weight_hh.value().begin(), cell.weight_hh.value().end(), other.weight_hh.value().begin()));
  const Network network = network_of(cell);
  const Network back = again(network, Format::native);
  CHECK(named_tensors(back) == named_tensors(network));
  CHECK(weights_of(back).modules[0].second.type == "LSTMCell");
  CHECK(weights_of(back).tensors[0].first == "weight_ih");
  from_bytes(other, text_of(network, Format::native));
  CHECK(saved::bits(cell) == saved::bits(other));
}

TEST_CASE("nonlinearities and residual connections are refused where a format would lose them") {
  nn::Generator generator(1);
  const Folder folder;
  const auto path = folder.path / "model";
  const nn::LSTM<float> hard(
      {.input_size = 3, .hidden_size = 4, .nonlinearities = {.gate = nn::Nonlinearity::hard_sigmoid}}, generator);
  const nn::LSTM<float> residual({.input_size = 4, .hidden_size = 4, .residual = true}, generator);
  CHECK_THROWS_WITH(save(hard, path, {.format = Format::rtneural}),
                    ContainsSubstring("has gates with hard_sigmoid, which only the wengert/1 file of the model holds; "
                                      "write that"));
  CHECK_THROWS_WITH(save(residual, path, {.format = Format::onnx}),
                    ContainsSubstring("has a residual connection, which only the wengert/1 file"));
  CHECK_FALSE(std::filesystem::exists(path));

  save(hard, path, {.format = Format::native});
  nn::LSTM<float> same(hard.options(), generator), usual({.input_size = 3, .hidden_size = 4}, generator);
  load(same, path);
  CHECK(saved::bits(same) == saved::bits(hard));
  const std::string before = saved::state(usual);
  CHECK_THROWS_WITH(load(usual, path, {.format = Format::native}),
                    ContainsSubstring(R"(gate_nonlinearity: file "hard_sigmoid", model "sigmoid")"));
  save(usual, path, {.format = Format::native});
  CHECK_THROWS_WITH(load(same, path, {.format = Format::native}),
                    ContainsSubstring(R"(gate_nonlinearity: file "sigmoid", model "hard_sigmoid")"));
  CHECK(saved::state(usual) == before);
}

TEMPLATE_TEST_CASE("modules in and out of every format", "", float, double) {
  const Folder folder;
  const auto path = folder.path / "model";
  Model<TestType> model(1);
  for (const auto& [format, sums_biases] : {std::pair{Format::native, false},
                                            {Format::state_dict, false},
                                            {Format::safetensors, false},
                                            {Format::guitarml, false},
                                            {Format::rtneural, true},
                                            {Format::nam, true},
                                            {Format::keras, true}}) {
    INFO(name(format));
    Model<TestType> other(2);
    save(model, path, {.format = format});
    REQUIRE(saved::bits(other) != saved::bits(model));
    load(other, path);
    if (!sums_biases) {
      CHECK(saved::bits(other) == saved::bits(model));
      continue;
    }
    const Network a = network_of(model), b = network_of(other);
    CHECK(largest_difference(evaluate(a, question(a)), evaluate(b, question(b))) < 1e-6);
  }
  save(model, path, {.format = Format::aidax, .self_test = true});
  Model<TestType> third(3);
  load(third, path, {.format = Format::rtneural});
  save(model, path, {.format = Format::keras});
  CHECK(detect(path) == Format::keras);
  save(model, path, {.format = Format::onnx});
  CHECK(detect(path) == Format::onnx);
  save(model, path, {.format = Format::tfjs});
  CHECK(detect(path) == Format::tfjs);

  // Any module, as named arrays.
  saved::Small<TestType> small, fresh;
  fresh.w.update([](auto& w) { w.fill(0); });
  save(small, path, {.format = Format::state_dict});
  load(fresh, path, {.format = Format::state_dict});
  CHECK(saved::bits(fresh) == saved::bits(small));
  fresh.w.update([](auto& w) { w.fill(0); });
  save(small, path, {.format = Format::safetensors, .metadata = {{"a", "b"}}});
  load(fresh, path, {.format = Format::safetensors});
  CHECK(saved::bits(fresh) == saved::bits(small));
  CHECK_THROWS_WITH(save(small, path, {.format = Format::rtneural}),
                    ContainsSubstring("save (rtneural): the model, with w (2, 3), computes what no description says"));

  // What does not fit leaves the model as it was.
  const std::string before = saved::state(model);
  CHECK_THROWS_WITH(load(model, path, {.format = Format::safetensors}),
                    ContainsSubstring("rec.weight_ih_l0 is missing"));
  save(random_network(1, {{lstm, 9}, {linear, 1}}), path, {.format = Format::rtneural});
  CHECK_THROWS_WITH(load(model, path, {.format = Format::rtneural}),
                    ContainsSubstring("the file has LSTM(1, 9), Linear(9, 1), the model LSTM(1, 8), Linear(8, 1)"));
  save(nn::infer::burnt_in(random_network(1, {{lstm, 8}, {linear, 1}}), 5), path, {.format = Format::nam});
  CHECK_THROWS_WITH(load(model, path, {.format = Format::nam}),
                    ContainsSubstring("starts from a state that is not zero"));
  CHECK(saved::state(model) == before);
  Model<TestType> unbiased(5, false);
  CHECK_THROWS_WITH(load(unbiased, path, {.format = Format::guitarml}),
                    ContainsSubstring("it is a Neural Amp Modeler (.nam) model, not a GuitarML model; read it as nam"));
  save(model, path, {.format = Format::rtneural});
  CHECK_THROWS_WITH(load(unbiased, path, {.format = Format::rtneural}),
                    ContainsSubstring("rec.bias_ih_l0 is unexpected"));
  save(unbiased, path, {.format = Format::rtneural});
  CHECK_NOTHROW(load(model, path, {.format = Format::rtneural}));
}
