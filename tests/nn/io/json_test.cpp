// Weights as JSON: every finite number comes back bit for bit, under its name, into a model that fits.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <sstream>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/save_load.hpp"
#include "nn/linear.hpp"
#include "nn/recurrent/lstm.hpp"

using autograd::Array;
using autograd::FormatError;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using nn::Parameter;
using nn::io::Format;
using nn::io::from_bytes;
using nn::io::load;
using nn::io::Metadata;
using nn::io::read_metadata;
using nn::io::save;
using nn::io::to_bytes;
using saved::bits;
using saved::bytes_of;
using saved::Folder;
using saved::Free;
using saved::good;
using saved::numbered;
using saved::replaced;
using saved::Small;
using saved::state;

namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
struct Encoder {
  Parameter<T> weight_ih_l0 = numbered<T>({40, 12});
  Parameter<T> bias_ih_l0 = numbered<T>({40});
  std::string gate_order = "ifgo";

  nn::Description describe() const {
    return {"Encoder", {{"input_size", 12}, {"gate_order", gate_order}, {"bias", true}, {"rate", 0.5}}};
  }
  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih_l0", self.weight_ih_l0);
    visitor("bias_ih_l0", self.bias_ih_l0);
  }
};

template <class T>
struct Net {
  Encoder<T> encoder;
  Small<T> head;
  Parameter<T> nothing = numbered<T>({2, 0, 3});

  nn::Description describe() const { return {"Net"}; }
  static void visit(auto& self, auto&& visitor) {
    visitor("encoder", self.encoder);
    visitor("head", self.head);
    visitor("nothing", self.nothing);
  }
};

template <class T>
Free<T> vector_of(std::vector<T> values) {
  Array<T> array = autograd::zeros<T>({values.size()});
  std::copy(values.begin(), values.end(), array.data());
  return {{{"v", Parameter<T>(std::move(array))}}};
}

template <class M>
void clear(M& module) {
  nn::for_each_parameter(module, [](const std::string&, auto& p) { p.update([](auto& values) { values.fill(0); }); });
}

/// Every finite class: each exponent with the first, some and the last mantissas, and random bits.
template <class T>
std::vector<T> finite_numbers() {
  constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  constexpr int exponents = sizeof(T) == 4 ? 255 : 2047;
  std::mt19937_64 random(7);
  std::vector<T> result;
  const auto add = [&](std::uint64_t exponent, std::uint64_t fraction) {
    for (std::uint64_t sign : {0, 1}) {
      const std::uint64_t pattern = sign << (sizeof(T) * 8 - 1) | exponent << mantissa | fraction;
      result.push_back(std::bit_cast<T>(static_cast<Bits<T>>(pattern)));
    }
  };
  const std::uint64_t last = (std::uint64_t{1} << mantissa) - 1;
  for (std::uint64_t exponent = 0; exponent < exponents; ++exponent)
    for (const std::uint64_t fraction : {std::uint64_t{0}, std::uint64_t{1}, last / 2, last / 2 + 1, last - 1, last})
      add(exponent, fraction);
  for (int k = 0; k < 20000; ++k) add(random() % exponents, random() & last);
  return result;
}

struct Forecaster {
  nn::LSTM<float> lstm;
  nn::Linear<float> head;

  explicit Forecaster(nn::Generator generator)
      : lstm({.input_size = 3, .hidden_size = 5, .num_layers = 2, .bidirectional = true}, generator),
        head(10, 1, generator) {}
  static void visit(auto& self, auto&& visitor) {
    visitor("lstm", self.lstm);
    visitor("head", self.head);
  }
};

struct Mixed {
  Small<float> a;
  Small<double> b;
  static void visit(auto& self, auto&& visitor) {
    visitor("a", self.a);
    visitor("b", self.b);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("every finite number comes back bit for bit", "", float, double) {
  Free<TestType> model = vector_of<TestType>(finite_numbers<TestType>());
  for (const TestType value : {TestType(7.038531e-26f), TestType(1e23), TestType(9007199254740993.0), TestType(0.1f)})
    model.parameters.push_back(
        {"p" + std::to_string(model.parameters.size()), Parameter<TestType>(autograd::full<TestType>({}, value))});
  for (const TestType value : model.parameters[0].second.value()) REQUIRE(std::isfinite(value));

  const std::string text = to_bytes(model);
  Free<TestType> other = model;
  clear(other);
  REQUIRE(bits(other) != bits(model));
  from_bytes(other, text);
  CHECK(bits(other) == bits(model));
  CHECK(to_bytes(other) == text);
}

TEST_CASE("numbers are the shortest that come back") {
  CHECK_THAT(to_bytes(vector_of<float>({0.1f, 1.f / 3, 3.f, -0.f, 1e-45f, 3.4028235e38f, 1e5f})),
             ContainsSubstring("[0.1,0.33333334,3.0,-0.0,1e-45,3.4028235e+38,1e+05]"));
  CHECK_THAT(to_bytes(vector_of<double>({0.1, 0.1f, -0., 5e-324, 1.7976931348623157e308})),
             ContainsSubstring("[0.1,0.10000000149011612,-0.0,5e-324,1.7976931348623157e+308]"));
}

TEST_CASE("the file, in full") {
  Net<float> net;
  net.encoder.weight_ih_l0 = numbered<float>({2, 2});
  net.encoder.bias_ih_l0 = numbered<float>({1});
  CHECK(to_bytes(net, {.metadata = {{"seed", "7"}, {"a \"b\"", "\xC3\xA4\n"}}}) == R"({
  "format": "wengert/1",
  "dtype": "float32",
  "modules": [
    {"name": "", "type": "Net"},
    {"name": "encoder", "type": "Encoder", "input_size": 12, "gate_order": "ifgo", "bias": true, "rate": 0.5}
  ],
  "parameters": {
    "encoder.weight_ih_l0": {"shape": [2, 2], "data": [0.125,0.25,0.375,0.5]},
    "encoder.bias_ih_l0": {"shape": [1], "data": [0.125]},
    "head.w": {"shape": [2, 3], "data": [0.125,0.25,0.375,0.5,0.625,0.75]},
    "head.s": {"shape": [], "data": [0.125]},
    "nothing": {"shape": [2, 0, 3], "data": []}
  },
  "metadata": {
    "a \"b\"": ")"
                                                                                   "\xC3\xA4"
                                                                                   R"(\n",
    "seed": "7"
  }
}
)");
  CHECK(to_bytes(Free<double>{}) ==
        "{\n  \"format\": \"wengert/1\",\n  \"dtype\": \"float64\",\n  \"modules\": [],\n  \"parameters\": {},\n"
        "  \"metadata\": {}\n}\n");
}

TEMPLATE_TEST_CASE("save, load, save gives the same bytes", "", float, double) {
  const Folder folder;
  Net<TestType> net;
  const Metadata metadata{{"seed", "7"}, {"", ""}, {"\xF0\x9F\x8E\xB5", std::string("a\0b\x7F\\/\t", 7)}};
  save(net, folder.path / "a.json", {.metadata = metadata});
  Net<TestType> other;
  clear(other);
  const Metadata loaded = load(other, folder.path / "a.json");
  CHECK(loaded == metadata);
  CHECK(read_metadata(folder.path / "a.json") == metadata);
  CHECK(bits(other) == bits(net));
  save(other, folder.path / "b.json", {.metadata = loaded});
  CHECK(bytes_of(folder.path / "b.json") == bytes_of(folder.path / "a.json"));
  CHECK(folder.files() == std::vector<std::string>{"a.json", "b.json"});

  std::stringstream stream;
  save(net, stream, {.metadata = metadata});
  CHECK(stream.str() == bytes_of(folder.path / "a.json"));
  clear(other);
  CHECK(load(other, stream) == metadata);
  CHECK(bits(other) == bits(net));
}

TEST_CASE("an LSTM and a linear layer under PyTorch's names") {
  const Forecaster trained{nn::Generator(1)};
  Forecaster fresh{nn::Generator(2)};
  REQUIRE(bits(fresh) != bits(trained));
  const std::string text = to_bytes(trained);
  from_bytes(fresh, text);
  CHECK(bits(fresh) == bits(trained));
  CHECK(to_bytes(fresh) == text);
  CHECK_THAT(text, ContainsSubstring("\"lstm.weight_hh_l1_reverse\": {\"shape\": [20, 5], "));
  CHECK_THAT(text, ContainsSubstring("\"head.bias\": {\"shape\": [1], "));
  CHECK_THAT(
      text, ContainsSubstring(
                R"({"name": "lstm", "type": "LSTM", "input_size": 3, "hidden_size": 5, "num_layers": 2, )"
                R"("bidirectional": true, "residual": false, "proj_size": 0, "gate_order": "ifgo", )"
                R"("gate_nonlinearity": "sigmoid", "candidate_nonlinearity": "tanh", "hidden_nonlinearity": "tanh"})"));
  CHECK_THAT(text, ContainsSubstring(R"({"name": "head", "type": "Linear", "in_features": 10, "out_features": 1})"));
}

TEST_CASE("what other programs write is read") {
  const auto loaded = [](const std::string& text) {
    Small<float> model;
    from_bytes(model, text);
    return bits(model);
  };
  Small<float> expected;
  const float values[] = {1, 2.5f, -3, 400, 5, 6};
  expected.w.update([&](auto& w) { std::copy(std::begin(values), std::end(values), w.data()); });
  expected.s.update([](auto& s) { s.fill(7); });
  REQUIRE(loaded(good) == bits(expected));

  SECTION("data before shape, sorted keys, spaces, other spellings of a number") {
    CHECK(loaded(R"( {"dtype" : "float32", "format" : "wengert\/1",
      "parameters" : {"s" : {"data" : [ 70E-1 ], "shape" : [ ]},
                      "\u0077" : {"data" : [1.0, 0.25e+1, -3, 400, 5, 6], "shape" : [2, 3]}} }  )") == bits(expected));
  }
  SECTION("format and dtype at the end") {
    const std::string late = replaced(replaced(good, R"("format":"wengert/1","dtype":"float32",)", ""), R"("b"}})",
                                      R"("b"},"dtype":"float32","format":"wengert/1"})");
    CHECK(loaded(late) == bits(expected));
    Small<float> model;
    CHECK(from_bytes(model, late) == Metadata{{"a", "b"}});
  }
  SECTION("parts of later use, whatever they contain") {
    CHECK(loaded(replaced(good, R"("modules")", R"("optimizer":{"step":[1,{"a":null}]},"rng":"x","modules")")) ==
          bits(expected));
  }
  SECTION("an integer minus zero, and numbers too small to tell from zero") {
    Small<float> model;
    from_bytes(model, replaced(replaced(good, "[1,", "[-0,"), "2.5,-3,", "1e-400,-1e-50,"));
    CHECK(std::signbit(model.w.value()(0, 0)));
    CHECK(model.w.value()(0, 0) == 0);
    CHECK((model.w.value()(0, 1) == 0 && !std::signbit(model.w.value()(0, 1))));
    CHECK((model.w.value()(0, 2) == 0 && std::signbit(model.w.value()(0, 2))));
  }
  SECTION("a number written in full") {
    CHECK(loaded(replaced(good, "[1,", "[1." + std::string(1000, '0') + ",")) == bits(expected));
  }
  SECTION("modules that the model does not describe") {
    CHECK(loaded(replaced(good, R"({"name":"","type":"Small"})",
                          R"({},{"name":3,"type":1},{"name":"x","type":"y"})")) == bits(expected));
  }
}

TEST_CASE("files of the other dtype") {
  SECTION("float32 into double: exactly the floats") {
    const std::vector<float> floats = finite_numbers<float>();
    Free<double> model = vector_of<double>(std::vector<double>(floats.size()));
    from_bytes(model, to_bytes(vector_of<float>(floats)));
    bool same = true;
    for (std::size_t k = 0; k < floats.size(); ++k)
      same = same && model.parameters[0].second.value()(k) == static_cast<double>(floats[k]);
    CHECK(same);

    // Read as a double and then rounded, this is another float.
    REQUIRE(static_cast<float>(7.038531e-26) != 7.038531e-26f);
    Free<double> one = vector_of<double>({0});
    from_bytes(one, to_bytes(vector_of<float>({7.038531e-26f})));
    CHECK(one.parameters[0].second.value()(0) == static_cast<double>(7.038531e-26f));
  }
  SECTION("a float32 file of numbers that are no float") {
    Small<double> model;
    CHECK_THROWS_WITH(from_bytes(model, replaced(good, "2.5", "1e39"), {.format = Format::native}),
                      ContainsSubstring("/parameters/w/data/1: the number is too large for float32"));
  }
  SECTION("float64 into float: only on request") {
    Free<float> model = vector_of<float>({1, 2, 3});
    const std::string before = state(model);
    const std::string text = to_bytes(vector_of<double>({0.1, 1e-320, -5}));
    CHECK_THROWS_MATCHES(
        from_bytes(model, text, {.format = Format::native}), FormatError,
        Message("load (native): byte 47, /dtype: the file is float64, the model float32; set allow_narrowing to round "
                "every number"));
    CHECK(state(model) == before);
    from_bytes(model, text, {.allow_narrowing = true});
    CHECK(bits(model) == bits(vector_of<float>({0.1f, 0.f, -5.f})));

    const std::string narrowed = state(model);
    CHECK_THROWS_WITH(from_bytes(model, to_bytes(vector_of<double>({0, 0, 1e39})),
                                 {.format = Format::native, .allow_narrowing = true}),
                      ContainsSubstring("/parameters/v/data/2: the number is too large for float32"));
    CHECK(state(model) == narrowed);
  }
}

TEST_CASE("names and shapes that differ are listed in one error") {
  Net<float> net;
  const std::string before = state(net);
  Free<float> file;
  file.parameters = {{"encoder.weight_ih_l0", numbered<float>({40, 10})},
                     {"encoder.bias", numbered<float>({40})},
                     {"head.w", numbered<float>({2, 3})},
                     {"head.s", numbered<float>({})},
                     {"nothing", numbered<float>({2, 0, 3})}};
  CHECK_THROWS_MATCHES(
      from_bytes(net, to_bytes(file), {.format = Format::native}), FormatError,
      Message("load (native): 1 missing (encoder.bias_ih_l0), 1 unexpected (encoder.bias), 1 wrong shape "
              "(encoder.weight_ih_l0: file (40, 10), model (40, 12))"));
  CHECK(state(net) == before);
}

TEST_CASE("modules whose description differs are refused, once names and shapes fit") {
  Net<float> net;
  Net<float> other;
  other.encoder.gate_order = "ifco";
  const std::string before = state(net);
  CHECK_THROWS_MATCHES(from_bytes(net, to_bytes(other), {.format = Format::native}), FormatError,
                       Message("load (native): 1 different (encoder.gate_order: file \"ifco\", model \"ifgo\")"));
  CHECK_THROWS_MATCHES(
      from_bytes(net, replaced(replaced(to_bytes(net), "\"rate\": 0.5", "\"rate\": 1"), "\"Net\"", "\"N\""),
                 {.format = Format::native}),
      FormatError,
      Message("load (native): 2 different (type: file \"N\", model \"Net\", encoder.rate: file 1, model 0.5)"));
  CHECK_THROWS_MATCHES(
      from_bytes(net, replaced(to_bytes(other), "\"encoder.bias_ih_l0\"", "\"bias\""), {.format = Format::native}),
      FormatError, Message("load (native): 1 missing (encoder.bias_ih_l0), 1 unexpected (bias)"));
  CHECK(state(net) == before);
}

TEST_CASE("the metadata of a file, whatever the model") {
  const Folder folder;
  save(Net<double>{}, folder.path / "a.json", {.metadata = {{"scale", "0.5"}}});
  CHECK(read_metadata(folder.path / "a.json") == Metadata{{"scale", "0.5"}});
  saved::write_bytes(folder.path / "b.json", replaced(good, "2.5,", ""));
  CHECK_THROWS_WITH(read_metadata(folder.path / "b.json"), ContainsSubstring("does not fit the 5 numbers of data"));
}

TEST_CASE("what can not be written or told apart is refused") {
  const auto refused = [](const auto& module, const std::string& text, const nn::io::SaveOptions& options = {}) {
    CHECK_THROWS_MATCHES(to_bytes(module, options), ValueError, Message("save (native): " + text));
  };
  const auto p = numbered<float>({1});
  refused(Free<float>{{{"a", p}, {"b", p}, {"a", p}}}, "two parameters are called a");
  refused(Free<float>{{{"a\xFF", p}}}, "\"a\xEF\xBF\xBD\" is not UTF-8");
  refused(Free<float>{}, "\"\xEF\xBF\xBD\" is not UTF-8", {.metadata = {{"a", "\xC3"}}});
  Metadata many;
  for (int k = 0; k < 1000; ++k) many[std::to_string(k)] = "";
  Free<float> none;
  CHECK(from_bytes(none, to_bytes(none, {.metadata = many})) == many);
  many["one more"] = "";
  refused(none, "1001 metadata, at most 1000 are kept", {.metadata = many});

  refused(Mixed{}, "a.w and b.w are not both float or both double, and a file has one dtype");

  const std::string history(100000, 'x');
  CHECK(from_bytes(none, to_bytes(none, {.metadata = {{"", history}}})).at("") == history);

  struct Twice : Small<float> {
    nn::Description describe() const { return {"Twice", {{"size", 1}, {"size", 2}}}; }
  };
  refused(Twice{}, "module \"\" describes \"size\" twice");
  struct Endless : Small<float> {
    nn::Description describe() const { return {"Endless", {{"rate", std::numeric_limits<double>::infinity()}}}; }
  };
  refused(Endless{}, "attribute rate is not finite");

  Free<float> twins{{{"a", p}, {"a", p}}};
  CHECK_THROWS_MATCHES(from_bytes(twins, good, {.format = Format::native}), ValueError,
                       Message("load (native): two parameters are called a"));
}
