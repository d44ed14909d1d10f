// Bad files of every format: refused with their place, in little memory.
#include <cstring>
#include <map>
#include <random>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "heap.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/io/save_load.hpp"

using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using saved::replaced;

namespace {

constexpr Format json_formats[]{Format::native,   Format::state_dict, Format::rtneural,
                                Format::guitarml, Format::nam,        Format::keras};

std::string good(Format format) {
  return nn::io::to_bytes(random_network(1, {{lstm, 3}, {linear, 1}}), {.format = format});
}

/// Refused as it must be; how is the answer.
std::string refusal(const std::string& text, Format format, const std::string& what) {
  INFO(name(format) << ", " << what);
  std::string error = "(no error)";
  const std::size_t before = heap::begin();
  try {
    nn::io::from_bytes(text, {.format = format});
  } catch (const FormatError& e) {
    error = std::string(e.what(), std::min(std::strlen(e.what()), std::size_t{1000}));
  }
  const std::size_t allocated = heap::peak_since(before);
  CHECK(error != "(no error)");
  CHECK(allocated <= 4 * text.size() + (1 << 18));
  return error;
}

/// Where a number of an array or a size begins.
std::vector<std::size_t> number_places(const std::string& text) {
  std::vector<std::size_t> places;
  for (std::size_t k = 1; k < text.size(); ++k) {
    const bool number = text[k] == '-' || (text[k] >= '0' && text[k] <= '9');
    if (number && std::strchr("[,", text[k - 1])) places.push_back(k);
  }
  return places;
}

std::string with_number(const std::string& text, std::size_t place, const std::string& number) {
  std::size_t end = place;
  while (end < text.size() && std::strchr("+-.eE0123456789", text[end])) ++end;
  return text.substr(0, place) + number + text.substr(end);
}

bool has_place(const std::string& error) {
  return error.find("byte ") != std::string::npos && error.find("/") != std::string::npos;
}

std::size_t files = 0;

}  // namespace

TEST_CASE("bad numbers in every format") {
  const std::vector<std::string> numbers{"null",
                                         "NaN",
                                         "nan",
                                         "Infinity",
                                         "-Infinity",
                                         "inf",
                                         "1e400",
                                         "-1e400",
                                         "\"1\"",
                                         "true",
                                         "{}",
                                         "[]",
                                         "[0.1]",
                                         "0x10",
                                         "01",
                                         "+1",
                                         "1.",
                                         ".5",
                                         "--1",
                                         "1e",
                                         "1e5e5",
                                         "1,,1",
                                         "1 1",
                                         "\"",
                                         "[",
                                         "]",
                                         "}",
                                         "1e39",
                                         std::string(100000, '9'),
                                         "0." + std::string(100000, '3'),
                                         std::string(1000, '[')};
  for (const Format format : json_formats) {
    const std::string text = good(format);
    CHECK_NOTHROW(nn::io::from_bytes(text, {.format = format}));
    const std::vector<std::size_t> places = number_places(text);
    REQUIRE(places.size() > 50);
    for (const std::size_t place : {places[places.size() / 4], places[places.size() / 2], places.back()})
      for (const std::string& number : numbers) {
        const bool float_only = number == "1e39";
        if (float_only && format != Format::native) continue;  // such a file is of doubles
        const std::string error = refusal(with_number(text, place, number), format, "number " + number.substr(0, 20));
        INFO(error);
        // Whether an array of a state dict fits is told by the other arrays, not by its place.
        const bool fits_no_layer = format == Format::state_dict && error.find("bias has shape") != std::string::npos;
        CHECK((has_place(error) || fits_no_layer));
        ++files;
      }
  }
  CHECK(files >= 300);
}

TEST_CASE("a file of any format cut anywhere is refused") {
  for (const Format format : json_formats) {
    const std::string text = good(format);
    for (std::size_t size = 0; size + 2 < text.size(); ++size) {
      INFO(name(format) << " cut after " << size);
      CHECK_THROWS_AS(nn::io::from_bytes(text.substr(0, size), {.format = format}), FormatError);
      CHECK_THROWS_AS(nn::io::from_bytes(text.substr(0, size)), FormatError);
    }
  }
  for (const Format format : {Format::safetensors, Format::onnx}) {
    const std::string bytes = good(format);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      INFO(name(format) << " cut after " << size);
      CHECK_THROWS_AS(nn::io::from_bytes(bytes.substr(0, size), {.format = format}), FormatError);
    }
  }
}

TEST_CASE("damage of the text of every format") {
  for (const Format format : json_formats) {
    const std::string text = good(format);
    const std::string deep(1000000, '['), objects = [] {
      std::string result;
      for (int k = 0; k < 200000; ++k) result += "{\"a\":";
      return result;
    }();
    const std::map<std::string, std::string> damages{
        {"byte order mark", "\xEF\xBB\xBF" + text},
        {"NUL at the end", text + std::string(1, '\0')},
        {"trailing value", text + "1"},
        {"trailing bracket", text + "}"},
        {"two files", text + text},
        {"NUL within", std::string(text).insert(text.size() / 2, 1, '\0')},
        {"bad UTF-8", replaced(text, "{", "{\"\xFF\": 1,")},
        {"overlong UTF-8", replaced(text, "{", "{\"\xC0\xAF\": 1,")},
        {"surrogate", replaced(text, "{", "{\"\xED\xA0\x80\": 1,")},
        {"deep lists", replaced(text, "{", "{\"a\": " + deep + ",")},
        {"deep objects", replaced(text, "{", "{\"a\": " + objects + ",")},
        {"comment", replaced(text, "{", "{/* */")},
        {"a long text", replaced(text, "{", "{\"a\": \"" + std::string(200000, 'a') + "\",")},
        {"many values", replaced(
                            text, "{",
                            "{\"a\": [" +
                                [] {
                                  std::string result = "{}";
                                  for (int k = 0; k < 100000; ++k) result += ",{}";
                                  return result;
                                }() +
                                "],")},
        {"many keys", replaced(
                          text, "{",
                          "{" +
                              [] {
                                std::string result;
                                for (int k = 0; k < 20000; ++k) result += "\"" + std::to_string(k) + "\":1,";
                                return result;
                              }())},
        {"empty", ""},
        {"blank", " \n"},
        {"a list", "[" + text + "]"},
        {"a number", "1"},
    };
    for (const auto& [what, damaged] : damages) {
      if (format == Format::state_dict && what == "many keys") continue;  // each is an array without axes
      refusal(damaged, format, what);
      ++files;
    }
    // Every key at the top twice, or missing.
    const auto file = nlohmann::json::parse(text);
    for (const auto& [key, value] : file.items()) {
      const std::string twice = replaced(text, "{", "{" + nlohmann::json(key).dump() + ": " + value.dump() + ",");
      CHECK(refusal(twice, format, key + " twice").find("the key occurs twice") != std::string::npos);
      if (key == "metadata" || key == "sample_rate" || key == "modules") continue;
      if (key == "module" || key == "registered_name") continue;  // which Keras 2 does not have
      auto without = file;
      without.erase(key);
      if (format == Format::state_dict &&
          (key == "lstm.bias_ih_l0" || key == "lstm.bias_hh_l0" || key == "linear.bias"))
        continue;  // a layer without a bias
      refusal(without.dump(), format, key + " missing");
      files += 2;
    }
  }
}

TEST_CASE("sizes that can not be") {
  const std::vector<std::string> sizes{"0",
                                       "-3",
                                       "2.5",
                                       "1e3",
                                       "4",
                                       "1000000000",
                                       "1e18",
                                       "1e300",
                                       "4294967296",
                                       "null",
                                       "\"3\"",
                                       "[3]",
                                       "{}",
                                       "true",
                                       "-0.0",
                                       "9223372036854775807",
                                       "18446744073709551616"};
  const std::map<Format, std::vector<std::string>> fields{
      {Format::nam, {"\"hidden_size\": 3", "\"num_layers\": 1", "\"input_size\": 1"}},
      {Format::guitarml, {"\"hidden_size\": 3", "\"num_layers\": 1", "\"input_size\": 1", "\"output_size\": 1"}},
      {Format::rtneural, {"[null, null, 3", "[null, null, 1"}},
      {Format::keras, {"\"units\": 3", "[null, null, 1"}},
      {Format::native, {"\"shape\": [12", "\"shape\": [12, 3", "\"shape\": [1, 3"}}};
  for (const auto& [format, places] : fields) {
    const std::string text = good(format);
    for (const std::string& place : places)
      for (const std::string& size : sizes) {
        if (size == "true" && place.find("shape") == std::string::npos) continue;  // as a size it is 1
        const std::string changed = place.substr(0, place.find_last_of(" [") + 1) + size;
        if (nlohmann::json::accept(replaced(text, place, changed)) == false && size != "18446744073709551616") continue;
        refusal(replaced(text, place, changed), format, changed);
        ++files;
      }
  }
}

TEST_CASE("self-tests that are none") {
  const Network network = random_network(1, {{lstm, 3}, {linear, 1}});
  for (const Format format : json_formats) {
    auto file = nlohmann::json::parse(nn::io::to_bytes(network, {.format = format, .self_test = true}));
    CHECK_NOTHROW(nn::io::from_bytes(file.dump(), {.format = format}));
    const auto damaged = [&](const char* key, const nlohmann::json& value) {
      auto copy = file;
      copy["self_test"][key] = value;
      refusal(copy.dump(), format, std::string(key) + " " + value.dump());
    };
    for (const char* key : {"input", "output", "tolerance"}) {
      for (const char* value : {"null", "\"x\"", "{}", "[]", "[[]]", "[1]", "[[1],[2,3]]", "[[1,2]]", "true"})
        damaged(key, nlohmann::json::parse(value));
      auto copy = file;
      copy["self_test"].erase(key);
      refusal(copy.dump(), format, std::string("without ") + key);
    }
    for (const char* value : {"null", "1", "[]", "\"x\""}) {
      auto copy = file;
      copy["self_test"] = nlohmann::json::parse(value);
      refusal(copy.dump(), format, std::string("self_test ") + value);
    }
    damaged("tolerance", 1e-12);
    damaged("tolerance", -1);
  }
}

TEST_CASE("arrays of the wrong shape are found, all of them, with their places") {
  const std::string text =
      R"({"in_shape": [null, 1], "layers": [
        {"type": "lstm", "shape": [null, 2], "weights": [[[1, 2, 3]], [[1], [2]], [1, 2, 3, 4, 5, 6, 7]]},
        {"type": "dense", "shape": [1], "weights": [[[1], [2]]], "activation": "swish"},
        {"type": "conv1d", "shape": [1], "weights": []},
        {"type": "gru", "weights": [[1]]}]})";
  try {
    nn::io::from_bytes(text, {.format = Format::rtneural});
    FAIL("no error");
  } catch (const FileProblems& file) {
    std::string all;
    for (const Problem& problem : file.problems) {
      all += problem.pointer + ": " + problem.text + "\n";
      CHECK(problem.byte > 0);
      CHECK(problem.byte <= text.size());
    }
    CHECK(all ==
          "/layers/0/weights/0: found shape (1, 3), expected (1, 8)\n"
          "/layers/0/weights/1: found shape (2, 1), expected (2, 8)\n"
          "/layers/0/weights/2: found shape (7), expected (8)\n"
          "/layers/1/activation: unknown activation \"swish\"\n"
          "/layers/2/type: layer type \"conv1d\"; lstm, gru and dense can be converted\n"
          "/layers/3: \"shape\" is missing\n"
          "/layers/3/shape: the last extent, the size of the layer, must be positive\n");
  }
  CHECK(refusal(R"({"in_shape": [1], "layers": [{"type": "dense", "shape": [2], "weights": [[[1, 2], [3]], [1, 2]]}]})",
                Format::rtneural, "ragged")
            .find("/layers/0/weights/0/1: ragged: a list of 1, the ones before have 2") != std::string::npos);
  CHECK(refusal(R"({"a.weight": [[1, 2], [3, [4]]]})", Format::state_dict, "nested")
            .find("/a.weight/1/1: found a list, expected a number") != std::string::npos);
  CHECK(refusal(R"({"a.weight": [[1, 2], 3]})", Format::state_dict, "nested")
            .find("/a.weight/1: found a number, expected a list") != std::string::npos);
  CHECK(refusal(R"({"a.weight": [[[[[[[[[1]]]]]]]]]})", Format::state_dict, "axes").find("more than 8 axes") !=
        std::string::npos);
}

TEST_CASE("a version from the future, and other architectures") {
  CHECK(refusal(replaced(good(Format::native), "wengert/1", "wengert/3"), Format::native, "version")
            .find("/format: format \"wengert/3\", this library reads \"wengert/1\"") != std::string::npos);
  CHECK(refusal(replaced(good(Format::nam), "\"LSTM\"", "\"WaveNet\""), Format::nam, "architecture")
            .find("/architecture: found \"WaveNet\"; of these files only LSTM models") != std::string::npos);
  CHECK(refusal(replaced(good(Format::guitarml), "\"LSTM\"", "\"TCN\""), Format::guitarml, "unit")
            .find("/model_data/unit_type: found \"TCN\"") != std::string::npos);
  CHECK(refusal(replaced(good(Format::keras), "\"sigmoid\"", "\"hard_sigmoid\""), Format::keras, "gates")
            .find("recurrent_activation: found \"hard_sigmoid\", expected sigmoid") != std::string::npos);
}

namespace {

std::string safetensors(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + data;
}

}  // namespace

TEST_CASE("bad safetensors") {
  const std::string eight(8, '\0');
  const auto entry = [](const std::string& type, const std::string& shape, const std::string& offsets) {
    return "{\"a.weight\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
  };
  CHECK_NOTHROW(nn::io::from_bytes(safetensors(entry("F32", "[2,1]", "[0,8]"), eight)));
  CHECK_NOTHROW(nn::io::from_bytes(safetensors(entry("BF16", "[2,2]", "[0,8]"), eight)));
  const std::vector<std::string> bad{
      safetensors(entry("F32", "[3,1]", "[0,8]"), eight),
      safetensors(entry("F32", "[2,1]", "[0,9]"), eight),
      safetensors(entry("F32", "[2,1]", "[8,0]"), eight),
      safetensors(entry("F32", "[2,1]", "[0]"), eight),
      safetensors(entry("F32", "[2,1]", "[-8,0]"), eight),
      safetensors(entry("F32", "[2,1]", "[0,8.5]"), eight),
      safetensors(entry("F32", "[1,1]", "[0,4]"), eight),
      safetensors(entry("F32", "[1,1]", "[4,8]"), eight),
      safetensors(entry("I64", "[1,1]", "[0,8]"), eight),
      safetensors(entry("F32", "[1000000000,1000000000,1000000000,0]", "[0,8]"), eight),
      safetensors(entry("F32", "[1000000000,1000000000,1000000000]", "[0,8]"), eight),
      safetensors(entry("F32", "[4294967296,4294967296]", "[0,8]"), eight),
      safetensors(entry("F32", "[2,1]", "[0,8]"), eight + "x"),
      safetensors(entry("F32", "[2,1]", "[0,8]"), ""),
      safetensors(entry("F32", "[2,1]", "[0,8]"), "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
      safetensors(R"({"a.weight":{"shape":[2,1],"data_offsets":[0,8]}})", eight),
      safetensors(R"({"a.weight":{"dtype":"F32","data_offsets":[0,8]}})", eight),
      safetensors(R"({"a.weight":{"dtype":"F32","shape":[2,1]}})", eight),
      safetensors(R"({"a.weight":1})", eight),
      safetensors(R"({"__metadata__":{"a":1}})", ""),
      safetensors("{", ""),
      safetensors("", ""),
      std::string(8, '\xFF') + "{}",
      "1234567",
  };
  for (const std::string& bytes : bad)
    refusal(bytes, Format::safetensors, bytes.substr(std::min<std::size_t>(8, bytes.size())));
}

TEST_CASE("a safetensors or ONNX file with any byte changed is read or refused, never worse") {
  for (const Format format : {Format::safetensors, Format::onnx}) {
    const std::string bytes = good(format);
    std::size_t refused = 0;
    for (std::size_t k = 0; k < bytes.size(); ++k)
      for (const char c : {'\0', '\x01', '\x7F', '\x80', '\xFF', '9', '"'}) {
        std::string damaged = bytes;
        damaged[k] = c;
        try {
          nn::io::from_bytes(damaged, {.format = format});
        } catch (const FormatError&) {
          ++refused;
        }
      }
    CHECK(refused > bytes.size());
  }
}

TEST_CASE("a file of any format damaged at random is read or refused, never worse") {
  std::mt19937 random(17);
  const std::vector<std::string> pieces{
      "[",          "]",       "{",     "}",        ",", ":", "\"", "0", "-1", "1e9", "null", "[]", "\"weights\":",
      "\"shape\":", "\\u0000", "1e308", "\xC3\xA4", " "};
  const auto up_to = [&random](std::size_t count) { return random() % (count + 1); };
  for (const Format format : {Format::native, Format::state_dict, Format::rtneural, Format::guitarml, Format::nam,
                              Format::keras, Format::safetensors, Format::onnx}) {
    const std::string good_file = nn::io::to_bytes(random_network(2, {{lstm, 2}, {linear, 1}}),
                                                   {.format = format, .self_test = format == Format::keras});
    std::size_t refused = 0;
    for (int k = 0; k < 3000; ++k) {
      std::string text = good_file;
      for (std::size_t times = 1 + up_to(2); times > 0; --times) {
        const std::size_t at = up_to(text.size()), length = up_to(std::min<std::size_t>(20, text.size() - at));
        const std::size_t kind = up_to(3);
        if (kind == 0) text.erase(at, length);
        if (kind == 1) text.insert(at, text.substr(at, length));
        if (kind == 2) text.insert(at, pieces[up_to(pieces.size() - 1)]);
        if (kind == 3 && at < text.size()) text[at] = static_cast<char>(random());
      }
      INFO(name(format) << " " << text);
      try {
        const Network network = nn::io::from_bytes(text, {.format = format});
        CHECK(faults(network).empty());
      } catch (const FormatError&) {
        ++refused;
      }
    }
    CHECK(refused > 1000);
  }
}

TEST_CASE("a bad file leaves the model as it was") {
  const saved::Folder folder;
  saved::Small<float> model;
  const std::string before = saved::state(model);
  save(model, folder.path / "good", {.format = Format::state_dict});
  const std::string text = saved::bytes_of(folder.path / "good");
  for (const auto& [from, to] : std::map<std::string, std::string>{
           {"0.125", "null"}, {"\"w\"", "\"v\""}, {"0.25,", ""}, {"{", "{\"x\": [1],"}}) {
    saved::write_bytes(folder.path / "bad", replaced(text, from, to));
    CHECK_THROWS_AS(load(model, folder.path / "bad", {.format = Format::state_dict}), FormatError);
    CHECK(saved::state(model) == before);
  }
  load(model, folder.path / "good", {.format = Format::state_dict});
  CHECK(saved::state(model) != before);  // its versions moved on
}
