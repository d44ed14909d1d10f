// The front door: every option of save() and load() against every format, which format a name or a content tells, and
// files, streams and strings alike.
#include "nn/io/save_load.hpp"

#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/linear.hpp"
#include "nn/recurrent/lstm.hpp"

using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using saved::Folder;

namespace {

constexpr Format all[]{Format::native, Format::state_dict, Format::rtneural, Format::aidax, Format::guitarml,
                       Format::nam,    Format::keras,      Format::onnx,     Format::tfjs,  Format::safetensors};

template <class T>
struct Model {
  nn::Generator generator{3};
  nn::LSTM<T> lstm{{.input_size = 1, .hidden_size = 8}, generator};
  nn::Linear<T> head{8, 1, generator};

  static void visit(auto& self, auto&& visitor) {
    visitor("lstm", self.lstm);
    visitor("head", self.head);
  }
};

Network row() { return random_network(1, {{lstm, 8}, {linear, 1}}); }

/// An RNN, whose names and arrays say neither tanh nor relu, in the arrays of another program.
std::string bare_state_dict() {
  return R"({"rnn.weight_ih_l0": [[0.5]], "rnn.weight_hh_l0": [[0.25]], "rnn.bias_ih_l0": [0], "rnn.bias_hh_l0": [1]})";
}

/// What is said of an option; empty if it is taken.
std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "";
}

template <class Options>
struct Option {
  std::string name;
  Options options;
};

const std::vector<Option<SaveOptions>> save_options{
    {"metadata", {.metadata = {{"name", "a"}}}}, {"self_test", {.self_test = true}},
    {"sample_rate", {.sample_rate = 44100}},     {"burn_in", {.burn_in = 5}},
    {"zero_state", {.zero_state = true}},
};

const std::vector<Option<LoadOptions>> load_options{
    {"dtype", {.dtype = Dtype::float64}},
    {"allow_narrowing", {.allow_narrowing = true}},
    {"verify", {.verify = false}},
    {"order", {.order = {"lstm", "linear"}}},
    {"nonlinearity", {.nonlinearity = nn::Nonlinearity::relu}},
};

bool saves(Format format, const std::string& option, bool module) {
  if (option == "metadata" || option == "sample_rate") return format != Format::state_dict;
  if (option == "burn_in") return format == Format::nam;
  return option == "self_test" || !module;
}

}  // namespace

TEST_CASE("an option of save() that a format has no use for is refused by name, and every other one has its effect") {
  const Folder folder;
  const auto path = folder.path / "model";
  const Model<float> model;
  for (const Format format : all)
    for (const bool module : {false, true})
      for (const Option<SaveOptions>& each : save_options) {
        const std::string& option = each.name;
        SaveOptions options = each.options;
        INFO(name(format) << ", " << option << (module ? " of a module" : ""));
        options.format = format;
        std::filesystem::remove(path);
        const std::string refused = refusal([&] { module ? save(model, path, options) : save(row(), path, options); });
        CHECK(refused.empty() == saves(format, option, module));
        CHECK(std::filesystem::exists(path) == refused.empty());
        if (!refused.empty()) {
          CHECK_THAT(refused, StartsWith(std::string("save (") + name(format) + "): " + option));
          continue;
        }
        const Network back = load(path);
        if (option == "metadata") CHECK(back.metadata == options.metadata);
        if (option == "sample_rate") CHECK(back.sample_rate == 44100);
        if (option == "burn_in") CHECK_FALSE(back.layers[0].directions[0].starts_from_zero());
        CHECK(back.self_test.has_value() == (option == "self_test"));
      }
  const Network moved = nn::infer::burnt_in(row(), 5);
  for (const Format format : all)
    CHECK(from_bytes(to_bytes(moved, {.format = format == Format::tfjs ? Format::keras : format, .zero_state = true}))
              .layers[0]
              .directions[0]
              .starts_from_zero());
  for (const double wrong : {-1., std::nan(""), HUGE_VAL})
    for (const Format format : all) {
      CHECK_THROWS_WITH(save(model, path, {.format = format, .sample_rate = wrong}), ContainsSubstring("number of Hz"));
      CHECK_THROWS_WITH(save(row(), path, {.format = format, .sample_rate = wrong}), ContainsSubstring("number of Hz"));
    }
  CHECK_THROWS_WITH(
      save(model, path, {.format = Format::native, .metadata = {{"samplerate", "96000"}}, .sample_rate = 48000}),
      "save (native): metadata samplerate is 96000, and the sample rate 48000; keep one of them");
}

TEST_CASE("an option of load() that a format has no use for is refused by name") {
  const Folder folder;
  const auto path = folder.path / "model";
  for (const Format format : all) {
    save(row(), path, {.format = format});
    const std::string begin = std::string("load (") + name(format) + "): ";
    const bool bare = format == Format::state_dict || format == Format::safetensors;
    for (const Option<LoadOptions>& each : load_options) {
      const std::string& option = each.name;
      const LoadOptions& options = each.options;
      INFO(name(format) << ", " << option);
      if (option == "order" || option == "nonlinearity") {  // which other files say themselves
        const std::string what = option == "order" ? (bare ? "" : "takes no other")
                                                   : (bare ? "there is no RNN" : "takes no other nonlinearity");
        if (what.empty())
          CHECK(load(path, options).layers[0].kind == lstm);
        else
          CHECK_THROWS_WITH(load(path, options), StartsWith(begin) && ContainsSubstring(what));
        continue;
      }
      const std::string refused = refusal([&] { load(path, options); });
      CHECK(refused.empty() == (option != "allow_narrowing"));
      if (!refused.empty()) CHECK_THAT(refused, StartsWith(begin + option + " is given"));
    }
    save(Model<float>(), path, {.format = format});
    for (const Option<LoadOptions>& each : load_options) {
      const std::string& option = each.name;
      const LoadOptions& options = each.options;
      INFO(name(format) << ", " << option << " of a module");
      Model<float> model;
      model.head.weight.update([](auto& values) { values.fill(0); });
      const std::string before = saved::state(model), refused = refusal([&] { load(model, path, options); });
      const bool says_float64 = format == Format::native || format == Format::onnx || format == Format::safetensors;
      CHECK(refused.empty() == (option == "verify" || (option == "allow_narrowing" && says_float64)));
      if (!refused.empty()) {
        CHECK_THAT(refused, StartsWith(begin + option + " is given"));
        CHECK(saved::state(model) == before);
      }
    }
  }
  CHECK(from_bytes(bare_state_dict(), {.nonlinearity = nn::Nonlinearity::relu}).layers[0].activation ==
        nn::Nonlinearity::relu);
}

TEST_CASE("dtype is what the numbers of a network become, whatever the file") {
  const Folder folder;
  const auto path = folder.path / "model";
  const Network wide = random_network(1, {{lstm, 8}, {linear, 1}}, Dtype::float64);
  Network narrow = wide;
  set_dtype(narrow, Dtype::float32);
  for (const Format format : all) {
    INFO(name(format));
    save(wide, path, {.format = format});
    const Network back = load(path, {.dtype = Dtype::float32});
    CHECK(back.dtype == Dtype::float32);
    for (const double value : back.layers[0].directions[0].weight_ih.values)
      CHECK(value == static_cast<double>(static_cast<float>(value)));
    CHECK(load(path, {.dtype = Dtype::float64}).dtype == Dtype::float64);
  }
  Network large = wide;
  large.layers[0].directions[0].weight_ih.values[3] = 1e39;
  for (const Format format : {Format::native, Format::safetensors}) {
    save(large, path, {.format = format});
    CHECK(load(path).dtype == Dtype::float64);
    CHECK_THROWS_WITH(load(path, {.dtype = Dtype::float32}),
                      ContainsSubstring("lstm.weight_ih is 1e+39 at (3, 0), too large for float32"));
  }
}

TEST_CASE("float64 files fit float modules only where that is allowed") {
  const Folder folder;
  const auto path = folder.path / "model";
  Model<double> wide;
  for (const Format format : {Format::native, Format::safetensors}) {
    INFO(name(format));
    save(wide, path, {.format = format});
    Model<float> narrow;
    narrow.head.weight.update([](auto& values) { values.fill(0); });
    const std::string before = saved::state(narrow);
    CHECK_THROWS_WITH(load(narrow, path),
                      ContainsSubstring("the file is float64, the model float32; set allow_narrowing to round every"));
    CHECK(saved::state(narrow) == before);
    load(narrow, path, {.allow_narrowing = true});
    for (std::size_t k = 0; k < 8; ++k)
      CHECK(narrow.head.weight.value().data()[k] == static_cast<float>(wide.head.weight.value().data()[k]));
    Model<double> large;
    large.head.weight.update([](auto& values) { values.fill(1e39); });
    save(large, path, {.format = format});
    const std::string rounded = saved::state(narrow);
    CHECK_THROWS_WITH(load(narrow, path, {.allow_narrowing = true}), ContainsSubstring("too large for float32"));
    CHECK(saved::state(narrow) == rounded);
  }
}

TEST_CASE("the suffix tells the format, or it must be given") {
  const Folder folder;
  const Model<float> model;
  for (const auto& [suffix, format] : std::map<std::string, Format>{{".nam", Format::nam},
                                                                    {".onnx", Format::onnx},
                                                                    {".aidax", Format::aidax},
                                                                    {".safetensors", Format::safetensors},
                                                                    {".json", Format::native}}) {
    INFO(suffix);
    const auto path = folder.path / ("model" + suffix);
    save(model, path);
    CHECK(detect(path) == format);
    save(row(), path);
    CHECK(detect(path) == format);
    CHECK(format_by_suffix(path) == (suffix == ".json" ? std::optional<Format>() : format));
    save(model, path, {.format = Format::keras});
    CHECK(detect(path) == Format::keras);
  }
  for (const char* const name : {"model", "model.txt", "model.NAM", ".nam", "model.json.gz"}) {
    const auto path = folder.path / name;
    CHECK_THROWS_AS(save(model, path), ValueError);
    CHECK_THROWS_WITH(
        save(row(), path),
        "save: " + path.string() + ": its suffix tells no format; give one (SaveOptions::format): " + format_names());
    CHECK_FALSE(std::filesystem::exists(path));
  }
}

TEST_CASE("files, streams and strings are the same bytes, of every format that is one file") {
  const Folder folder;
  const auto path = folder.path / "model";
  const Model<float> model;
  for (const Format format : all) {
    INFO(name(format));
    std::ostringstream stream;
    if (format == Format::tfjs) {
      const auto two = ContainsSubstring("save (tfjs): a TensorFlow.js model is 2 files; save it to a path");
      CHECK_THROWS_WITH(to_bytes(model, {.format = format}), two);
      CHECK_THROWS_WITH(to_bytes(row(), {.format = format}), two);
      CHECK_THROWS_WITH(save(row(), stream, {.format = format}), two);
      continue;
    }
    const SaveOptions options{.format = format, .self_test = true};
    save(model, path, options);
    const std::string bytes = saved::bytes_of(path);
    save(model, stream, options);
    CHECK(stream.str() == bytes);
    CHECK(to_bytes(model, options) == bytes);
    Model<float> other;
    other.head.weight.update([](auto& values) { values.fill(0); });
    std::istringstream in(bytes), in_again(bytes);
    load(other, in);
    CHECK(other.head.weight == model.head.weight);
    CHECK(named_tensors(load(in_again)) == named_tensors(load(path)));
    CHECK(named_tensors(from_bytes(bytes, {.format = format})) == named_tensors(load(path)));
    save(row(), path, options);
    CHECK(to_bytes(row(), options) == saved::bytes_of(path));
  }
  CHECK(to_bytes(model) == to_bytes(model, {.format = Format::native}));
  CHECK(to_bytes(row()) == to_bytes(row(), {.format = Format::native}));
}

TEST_CASE("a module gets the notes of its file, the sample rate among them") {
  const Folder folder;
  const auto path = folder.path / "model";
  for (const Format format : all) {
    if (format == Format::state_dict) continue;  // which has none
    INFO(name(format));
    save(Model<float>(), path, {.format = format, .metadata = {{"maker", "me"}}, .sample_rate = 44100});
    Model<float> model;
    const Metadata notes = load(model, path);
    CHECK(notes.at("maker") == "me");
    CHECK(notes.at("samplerate").number() == 44100);
  }
}

TEST_CASE("layers of one name that are no module are refused, and counted by no attribute of another layer") {
  Network twins = random_network(3, {{linear, 3}, {linear, 3}});
  twins.layers[0].name = twins.layers[1].name = "head";
  const auto two = ContainsSubstring("two layers are called \"head\"");
  CHECK_THROWS_WITH(weights_of(twins), two);
  for (const Format format : all) CHECK_THROWS_WITH(to_bytes(twins, {.format = format}), two);
  Weights weights = weights_of(random_network(3, {{linear, 3}}));
  weights.modules.push_back(weights.modules[0]);
  CHECK_THROWS_WITH(network_of(weights), ContainsSubstring("two layers are called \"linear\""));

  // Levels of one module are counted, whatever attributes stand before the number.
  const Weights stack = weights_of(random_network(1, {{lstm, 4}, {lstm, 4}, {lstm, 4}, {linear, 1}}));
  REQUIRE(stack.modules.size() == 2);
  for (const nn::Attribute& attribute : stack.modules[0].second.attributes)
    CHECK(attribute.number == (attribute.name == "num_layers"    ? 3
                               : attribute.name == "hidden_size" ? 4
                               : attribute.name == "input_size"  ? 1
                                                                 : 0));
}

TEST_CASE("what no file keeps after a linear layer is refused by every format, and by a Stream") {
  using enum nn::Nonlinearity;
  for (int k = 0; k <= static_cast<int>(softmax) + 1; ++k) {
    const auto f = static_cast<nn::Nonlinearity>(k);
    Network network = random_network(1, {{lstm, 8}, {linear, 2}});
    network.layers[1].activation = f;
    const bool known = f == identity || f == tanh || f == relu || f == sigmoid || f == elu || f == softmax;
    CHECK(is_activation(f) == known);
    if (known) {
      CHECK_NOTHROW(nn::infer::Stream<float>(network));
      const Network back = from_bytes(to_bytes(network, {.format = Format::rtneural}));
      CHECK(back.layers[1].activation == f);
      CHECK(from_bytes(to_bytes(network, {.format = Format::onnx})).layers[1].activation == f);
      CHECK(from_bytes(to_bytes(network, {.format = Format::keras})).layers[1].activation == f);
      continue;
    }
    CHECK_THROWS_AS(nn::infer::Stream<float>(network), ValueError);
    for (const Format format : all) CHECK_THROWS_AS(to_bytes(network, {.format = format}), ValueError);
  }
  for (const char* const name :
       {"identity", "hard_sigmoid", "hard_tanh", "leaky_relu", "softplus", "softsign", "swish"})
    CHECK_FALSE(activation_named(name));
  CHECK(activation_named("linear") == identity);
  CHECK(activation_named("") == identity);
}
