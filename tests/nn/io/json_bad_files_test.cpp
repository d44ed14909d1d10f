// Bad files: refused with their place, in little memory, and the model is what it was.
#include <algorithm>
#include <cstring>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "heap.hpp"
#include "models.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/save_load.hpp"

using autograd::FormatError;
using Catch::Matchers::ContainsSubstring;
using nn::io::Format;
using nn::io::from_bytes;
using nn::io::load;
using nn::io::to_bytes;
using saved::Folder;
using saved::good;
using saved::replaced;
using saved::Small;
using saved::state;

TEST_CASE("a file cut at any byte is refused, and the model is what it was") {
  Small<float> model;
  const std::string before = state(model);
  const std::string text = to_bytes(model, {.metadata = {{"n\xC3\xA4me", "\xF0\x9F\x8E\xB5\n"}}});
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {  // the last two are the bracket and the end of line
    INFO("cut after " << size << " of " << text.size() << " bytes: ..." << text.substr(size < 20 ? 0 : size - 20, 20));
    CHECK_THROWS_AS(from_bytes(model, text.substr(0, size), {.format = Format::native}), FormatError);
    CHECK(state(model) == before);
  }
  from_bytes(model, text);
  CHECK(state(model) != before);
}

TEST_CASE("a file with any byte changed loads whole or not at all") {
  const std::string text = to_bytes(Small<float>{});
  std::size_t refused = 0;
  for (std::size_t k = 0; k < text.size(); ++k)
    for (const char c : {'\0', '"', '\\', '[', '}', ',', '9', '-', ' ', 'e', '\xFF'}) {
      Small<float> model;
      const std::string before = state(model);
      std::string damaged = text;
      damaged[k] = c;
      try {
        from_bytes(model, damaged, {.format = Format::native});
        CHECK(model.w.version() + model.s.version() == 2);
      } catch (const FormatError&) {
        ++refused;
        CHECK(state(model) == before);
      }
    }
  CHECK(refused > text.size() * 6);
}

namespace {

std::string repeated(const std::string& text, std::size_t count) {
  std::string result;
  for (std::size_t k = 0; k < count; ++k) result += text;
  return result;
}

struct BadFile {
  std::string name, text, error;
};

/// The files, made from `good`, and what the error must contain.
std::vector<BadFile> bad_files() {
  const auto with = [](const std::string& from, const std::string& to) { return replaced(good, from, to); };
  const auto datum = [&](const std::string& number) { return with("2.5", number); };
  const auto shape = [&](const std::string& shape) { return with("[2,3]", shape); };
  const std::string at_datum = "/parameters/w/data/1: ", at_shape = "/parameters/w/shape", at_w = "/parameters/w: ";
  const auto byte = [](std::size_t count) { return "byte " + std::to_string(count) + ", "; };
  const std::size_t before_datum = good.find("2.5");
  const std::string next_byte = "byte " + std::to_string(good.size() + 1) + ": ";
  return {
      // No JSON.
      {"empty", "", "byte 0: syntax error while parsing value - unexpected end of input"},
      {"blank", " \n\t", "unexpected end of input"},
      {"prose", "weights", "byte 1: syntax error while parsing value - invalid literal"},
      {"trailing bracket", good + "}", next_byte + "syntax error while parsing value - unexpected '}'"},
      {"trailing value", good + " 1", "unexpected number literal; expected end of input"},
      {"two files", good + good, "unexpected '{'; expected end of input"},
      {"trailing NUL", good + std::string(1, '\0'), next_byte + "NUL"},
      {"trailing NUL and more", good + std::string(1, '\0') + "garbage", next_byte + "NUL"},
      {"NUL in a name", with("\"w\"", std::string("\"w\0\"", 4)), "NUL"},
      {"NUL between values", with("2.5", std::string("2.5\0", 4)), "NUL"},
      {"UTF-8 byte order mark", "\xEF\xBB\xBF" + good, "load (native): it begins with a byte order mark"},
      {"UTF-16 byte order mark", "\xFF\xFE{", "invalid literal"},
      {"control character", with("\"a\"", "\"a\x01\""),
       "/metadata: syntax error while parsing object key - invalid string: control character"},
      {"bad UTF-8 in a value", with("\"b\"", "\"b\xFF\""),
       "/metadata/a: syntax error while parsing value - invalid "
       "string: ill-formed UTF-8 byte"},
      {"bad UTF-8 in a key", with("\"w\"", "\"\xC3\x28\""), "ill-formed UTF-8 byte"},
      {"overlong UTF-8", with("\"b\"", "\"\xC0\xAF\""), "ill-formed UTF-8 byte"},
      {"surrogate in UTF-8", with("\"b\"", "\"\xED\xA0\x80\""), "ill-formed UTF-8 byte"},
      {"lone surrogate escape", with("\"b\"", "\"\\uD800\""), "surrogate"},
      {"comment", with("2.5", "2.5/* */"), "/parameters/w/data/2: syntax error"},
      {"trailing comma", with("6]", "6,]"), "/parameters/w/data/6: syntax error"},
      {"missing comma", with("2.5,-3", "2.5 -3"), "syntax error"},
      {"single quotes", with("\"w\"", "'w'"), "syntax error"},
      {"list closed as an object", with("6]", "6}"), "syntax error"},

      // Numbers.
      {"NaN", datum("NaN"),
       byte(before_datum + 1) + at_datum +
           "NaN is no number in JSON; the file was saved with numbers that "
           "are not finite"},
      {"nan", datum("nan"), at_datum + "nan is no number"},
      {"Infinity", datum("Infinity"), at_datum + "Infinity is no number"},
      {"minus Infinity", datum("-Infinity"), at_datum + "Infinity is no number"},
      {"inf", datum("inf"), at_datum + "inf is no number"},
      {"1e400", datum("1e400"), byte(before_datum + 6) + at_datum + "the number is too large for a double"},
      {"minus 1e400", datum("-1e400"), at_datum + "the number is too large for a double"},
      {"1e39 in float32", datum("1e39"), at_datum + "the number is too large for float32"},
      {"huge exponent", datum("1e99999999999999999999"), at_datum + "the number is too large for a double"},
      {"10^5 digits, huge", datum(std::string(100000, '9')), "a number of more than 1100 characters"},
      {"10^5 digits, small", datum("0." + std::string(100000, '3')), "a number of more than 1100 characters"},
      {"10^5 digits of exponent", datum("1e-" + std::string(100000, '1')), "a number of more than 1100 characters"},
      {"10^5 digits of extent", shape("[" + std::string(100000, '1') + ",3]"), "a number of more than 1100 characters"},
      {"10^5 digits of version", with("\"wengert/1\"", std::string(100000, '1')), "a number of more than 1100"},
      {"500 digits", datum(std::string(500, '9')), at_datum + "the number is too large for a double"},
      {"hexadecimal", datum("0x10"), "syntax error"},
      {"leading zero", datum("02"), "syntax error"},
      {"leading plus", datum("+2"), "syntax error"},
      {"no digit after the point", datum("2."), "invalid number"},
      {"null", datum("null"), byte(before_datum + 4) + at_datum + "found null, expected a number"},
      {"true", datum("true"), at_datum + "found true, expected a number"},
      {"number in quotes", datum("\"2.5\""), at_datum + "found \"2.5\", expected a number"},
      {"nested list", datum("[2.5,-3]"), at_datum + "found a list, expected a number"},
      {"ragged rows", with("1,2.5,-3,4e2,5,6", "[1,2.5,-3],[4e2,5]"), "/parameters/w/data/0: found a list, expected"},
      {"object", datum("{}"), at_datum + "found an object, expected a number"},

      // Shapes.
      {"too few data", with("2.5,", ""), at_w + "shape (2, 3) does not fit the 5 numbers of data"},
      {"too many data", with("2.5,", "2.5,2.5,"), at_w + "shape (2, 3) does not fit the 7 numbers of data"},
      {"no data", with("1,2.5,-3,4e2,5,6", ""), at_w + "shape (2, 3) does not fit the 0 numbers of data"},
      {"scalar without data", with("[7]", "[]"), "/parameters/s: shape () does not fit the 0 numbers of data"},
      {"transposed", shape("[3,2]"), "load (native): 1 wrong shape (w: file (3, 2), model (2, 3))"},
      {"other rank", shape("[6]"), "load (native): 1 wrong shape (w: file (6), model (2, 3))"},
      {"extra axis", shape("[2,3,1]"), "load (native): 1 wrong shape (w: file (2, 3, 1), model (2, 3))"},
      {"rank 0", with("[]", "[1]"), "load (native): 1 wrong shape (s: file (1), model ())"},
      {"negative extents", shape("[-2,-3]"), at_shape + "/0: found -2, expected a whole number, not negative"},
      {"minus zero extent", shape("[-0,3]"), at_shape + "/0: found -0, expected a whole number"},
      {"fractional extent", shape("[2,3.5]"), at_shape + "/1: found 3.5, expected a whole number"},
      {"extent with a point", shape("[2.0,3]"), at_shape + "/0: found 2.0, expected a whole number"},
      {"extent in quotes", shape("[\"2\",3]"), at_shape + "/0: found \"2\", expected a whole number"},
      {"null extent", shape("[2,null]"), at_shape + "/1: found null, expected a whole number"},
      {"nested extents", shape("[[2,3]]"), at_shape + "/0: found a list, expected a whole number"},
      {"extents as a number", shape("6"), at_shape + ": found 6, expected a list of extents"},
      {"extents as an object", shape("{\"rows\":2}"), at_shape + ": found an object, expected a list of extents"},
      {"product that overflows to 6", shape("[2,9223372036854775811]"), "(2, 9223372036854775811) does not fit the 6"},
      {"product of three that overflows to 6", shape("[2,3,9223372036854775809]"), "does not fit the 6 numbers"},
      {"product that overflows to 0", shape("[4294967296,4294967296]"), "(4294967296, 4294967296) does not fit the 6"},
      {"largest extent", shape("[18446744073709551615]"), "(18446744073709551615) does not fit the 6 numbers"},
      {"extent beyond 64 bits", shape("[18446744073709551616]"), at_shape + "/0: found 18446744073709551616, expected"},
      {"zero times huge", shape("[0,18446744073709551615]"), "does not fit the 6 numbers"},
      {"9 axes", shape("[1,1,1,1,1,1,1,2,3]"), at_shape + "/8: more than 8 axes"},
      {"10^5 axes", shape("[1" + repeated(",1", 100000) + "]"), at_shape + "/8: more than 8 axes"},
      {"data as a number", with("[7]", "7"), "/parameters/s/data: found 7, expected a flat list of numbers"},
      {"data as a text", with("[7]", "\"AADgQA==\""), "/parameters/s/data: found \"AADgQA==\", expected a flat list"},
      {"data as null", with("[7]", "null"), "/parameters/s/data: found null, expected a flat list of numbers"},

      // Keys.
      {"missing parameter", with(R"(,"s":{"shape":[],"data":[7]})", ""), "load (native): 1 missing (s)"},
      {"extra parameter", with("\"s\":", R"("t":{"shape":[0],"data":[]},"s":)"), "load (native): 1 unexpected (t)"},
      {"parameters empty", with(good.substr(good.find("{\"w\""), good.find(",\"metadata") - good.find("{\"w\"")), "{}"),
       "load (native): 2 missing (w, s)"},
      {"renamed", with("\"w\":", "\"W\":"), "load (native): 1 missing (w), 1 unexpected (W)"},
      {"name with a control character", with("\"w\":", "\"w\\u0000\\u0007\":"),
       "load (native): 1 missing (w), 1 unexpected (w\\u0000\\u0007)"},
      {"name with a slash and a tilde", replaced(with("\"w\":", "\"w/~\":"), "2.5", "null"),
       "/parameters/w~1~0/data/1: found null"},
      {"long name", with("\"w\":", "\"" + std::string(1000, 'w') + "\":"), "(" + std::string(80, 'w') + "...)"},
      {"duplicate parameter", with("\"s\":", R"("w":{"shape":[0],"data":[]},"s":)"),
       byte(good.find("\"s\"") + 3) + "/parameters/w: the key occurs twice"},
      {"duplicate unknown parameter", with("\"s\":", R"("t":{"shape":[0],"data":[]},"t":{"shape":[0],"data":[]},"s":)"),
       "/parameters/t: the key occurs"},
      {"duplicate data", with("\"data\":[7]", "\"data\":[8],\"data\":[7]"), "/parameters/s/data: the key occurs twice"},
      {"duplicate shape", with("\"shape\":[]", "\"shape\":[],\"shape\":[]"),
       "/parameters/s/shape: the key occurs twice"},
      {"duplicate, escaped", with("\"shape\":[]", "\"shape\":[],\"sh\\u0061pe\":[]"),
       "/parameters/s/shape: the key occ"},
      {"duplicate parameters", with("\"metadata\"", "\"parameters\":{},\"metadata\""),
       "/parameters: the key occurs twice"},
      {"duplicate format", with("\"dtype\"", "\"format\":\"wengert/1\",\"dtype\""), "/format: the key occurs twice"},
      {"duplicate dtype", with("\"modules\"", "\"dtype\":\"float32\",\"modules\""), "/dtype: the key occurs twice"},
      {"duplicate metadata", with("\"a\":\"b\"", "\"a\":\"b\",\"a\":\"b\""), "/metadata/a: the key occurs twice"},
      {"duplicate attribute", with("\"type\":", "\"type\":\"Small\",\"type\":"),
       "/modules/0/type: the key occurs twice"},
      {"no shape", with("\"shape\":[],", ""), "/parameters/s: \"shape\" is missing"},
      {"no data key", with(",\"data\":[7]", ""), "/parameters/s: \"data\" is missing"},
      {"unknown key of a parameter", with("\"data\":[7]", "\"data\":[7],\"dtype\":1"),
       "/parameters/s/dtype: unknown key; a parameter has \"shape\" and \"data\""},
      {"unknown key at the top", with("\"metadata\"", "\"notes\":1,\"metadata\""),
       "/notes: unknown key; notes belong in \"metadata\""},
      {"unknown key before the format", replaced(good, "{", "{\"notes\":1,"), "/notes: unknown key; notes belong in"},
      {"no format", with("\"format\":\"wengert/1\",", ""),
       "load (native): not a wengert/1 file, \"format\" is missing"},
      {"no dtype", with("\"dtype\":\"float32\",", ""), "load (native): \"dtype\" is missing"},
      {"no parameters", R"({"format":"wengert/1","dtype":"float32"})", "load (native): \"parameters\" is missing"},
      {"10^5 metadata",
       with(
           "\"a\":\"b\"", "\"a\":\"b\"" +
                              [] {
                                std::string notes;
                                for (int k = 0; k < 100000; ++k) notes += ",\"" + std::to_string(k) + "\":\"\"";
                                return notes;
                              }()),
       "more than 1000 keys"},

      // Values of the wrong kind.
      {"list at the top", "[" + good + "]", "byte 1: found a list, expected an object"},
      {"number at the top", "17", "found 17, expected an object"},
      {"null at the top", "null", "found null, expected an object"},
      {"parameters as a list", with("\"parameters\":{", "\"parameters\":[{"), "/parameters: found a list, expected an"},
      {"parameter as nested lists", with(R"({"shape":[],"data":[7]})", "[[7]]"),
       "/parameters/s: found a list, expected an object with \"shape\" and \"data\""},
      {"parameter as a number", with(R"({"shape":[],"data":[7]})", "7"), "/parameters/s: found 7, expected an object"},
      {"modules as an object", with("[{\"name\":\"\",\"type\":\"Small\"}]", "{}"),
       "/modules: found an object, expected"},
      {"module as a text", with("{\"name\":\"\",\"type\":\"Small\"}", "\"Small\""),
       "/modules/0: found \"Small\", expected"},
      {"attribute as null", with("\"Small\"", "null"), "/modules/0/type: found null, expected a text, a number"},
      {"metadata as a list", with("{\"a\":\"b\"}", "[]"), "/metadata: found a list, expected an object"},
      {"metadata of numbers", with("\"b\"", "1"), "/metadata/a: found 1, expected a text"},
      {"metadata of objects", with("\"b\"", "{}"), "/metadata/a: found an object, expected a text"},
      {"format as a number", with("\"wengert/1\"", "1"), "/format: found 1, expected a text"},
      {"dtype as null", with("\"float32\"", "null"), "/dtype: found null, expected a text"},

      // Other versions, other formats.
      {"from the future", with("wengert/1", "wengert/3"),
       "byte 21, /format: format \"wengert/3\", this library reads \"wengert/1\"; update it, or save the file in that"},
      {"other format", with("wengert/1", "layers-model"), "/format: format \"layers-model\", expected \"wengert/1\""},
      {"half", with("float32", "float16"), "/dtype: dtype \"float16\", expected \"float32\" or \"float64\""},
      {"RTNeural", R"({"in_shape":[null,null,1],"layers":[{"type":"lstm","weights":[[1]]}]})",
       "load (native): it is an RTNeural model, not a wengert/1 file; read it as rtneural"},
      {"NAM",
       R"({"version":"0.5.1","metadata":{"date":{"year":2023}},"architecture":"LSTM","config":{},"weights":[1]})",
       "it is a Neural Amp Modeler (.nam) model, not a wengert/1 file; read it as nam"},
      {"frugally-deep", R"({"architecture":{},"image_data_format":"channels_last","trainable_params":{}})",
       "it looks like a frugally-deep model"},
      {"TensorFlow.js", R"({"modelTopology":{},"weightsManifest":[]})",
       "it is a TensorFlow.js model, not a wengert/1 file; read it as tfjs"},
      {"GuitarML", R"({"model_data":{"model":"SimpleRNN"},"state_dict":{"rec.weight_ih_l0":[[1]]}})",
       "it is a GuitarML model, not a wengert/1 file; read it as guitarml"},
      {"state dict", R"({"lstm.weight_ih_l0":[[1,2]],"lstm.bias_ih_l0":[1]})",
       "it is a bare PyTorch state dict, not a wengert/1 file; read it as state_dict"},
      {"state dict of a layer", R"({"weight":[[1,2]],"bias":[1]})",
       "it is a bare PyTorch state dict, not a wengert/1 file; read it as state_dict"},
      {"something else", R"({"name":"x"})", "load (native): not a wengert/1 file, \"format\" is missing"},
      {"PyTorch checkpoint", "PK\x03\x04 and so on",
       "load (native): it is a PyTorch checkpoint or another archive, not JSON"},
      {"HDF5", "\x89HDF\r\n", "load (native): it is a Keras (HDF5) model, not JSON"},
      {"safetensors", std::string("\x18\0\0\0\0\0\0\0{\"w\":{}}", 16),
       "it is a safetensors file, not a wengert/1 file"},

      // Depth and size.
      {"lists 10^6 deep", std::string(1000000, '['), "byte 1: found a list, expected an object"},
      {"data 10^6 deep", datum(std::string(1000000, '[')), at_datum + "found a list, expected a number"},
      {"lists 10^6 deep before the format", "{\"x\":" + std::string(1000000, '['), "nested more than 64 deep"},
      {"objects 10^6 deep", "{\"optimizer\":" + repeated("{\"a\":", 1000000), "nested more than 64 deep"},
      {"objects 10^6 deep, in a part of later use", with("\"metadata\"", "\"rng\":" + repeated("{\"a\":", 1000000)),
       "nested more than 64 deep"},
      {"10^5 data too many", with("6]", "6" + repeated(",0", 100000) + "]"), "(2, 3) does not fit the 100006 numbers"},
      {"10^5 data of an unknown name", with("\"w\":", "\"x\":").insert(good.find("[1,") + 1, repeated("0,", 100000)),
       "/parameters/x: shape (2, 3) does not fit the 100006 numbers"},
      {"10^4 unexpected names",
       with("\"s\":",
            [] {
              std::string names;
              for (int k = 0; k < 10000; ++k) names += '"' + std::to_string(k) + R"(":{"shape":[0],"data":[]},)";
              return names + "\"s\":";
            }()),
       "load (native): 10000 unexpected (0, 1, 2"},
  };
}

}  // namespace

TEST_CASE("bad files are refused with their place, in little memory, and the model is what it was") {
  const std::vector<BadFile> files = bad_files();
  CHECK(files.size() >= 100);
  for (const auto& [name, text, expected] : files) {
    INFO(name);
    Small<float> model;
    const std::string before = state(model);
    std::string error = "(no error)";
    const std::size_t live = heap::begin();
    try {
      from_bytes(model, text, {.format = Format::native});
    } catch (const FormatError& e) {
      error = std::string(e.what(), std::min(std::strlen(e.what()), std::size_t{1000}));
    }
    const std::size_t allocated = heap::peak_since(live);
    CHECK_THAT(error, ContainsSubstring(expected));
    CHECK(allocated <= 4 * text.size() + (1 << 14));
    CHECK(state(model) == before);
  }
}

TEST_CASE("an error inside a long text costs in proportion to it") {
  for (const std::string end : {"", "\xFF\"}}", "\n\"}}", "\\x\"}}"}) {
    const std::string text = good.substr(0, good.find("b\"}")) + std::string(1000000, 'b') + end;
    Small<float> model;
    const std::size_t live = heap::begin();
    CHECK_THROWS_AS(from_bytes(model, text, {.format = Format::native}), FormatError);
    CHECK(heap::peak_since(live) < 10 * text.size());
  }
}

TEST_CASE("a small file for a large model takes no more memory than a small file") {
  constexpr std::size_t count = 20;
  saved::Free<double> model, file;
  for (std::size_t k = 0; k < count; ++k) {
    model.parameters.push_back({std::to_string(k), saved::numbered<double>({100000})});
    file.parameters.push_back({std::to_string(k), saved::numbered<double>({5})});
  }
  const std::string text = to_bytes(file), before = state(model);
  const std::size_t live = heap::begin();
  CHECK_THROWS_AS(from_bytes(model, text, {.format = Format::native}), FormatError);
  CHECK(heap::peak_since(live) < 4 * text.size() + (1 << 14));
  CHECK(state(model) == before);
}
