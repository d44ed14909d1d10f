// Notes and sample rates: they keep their types, and become what each program reads, or are refused.
#include <cmath>
#include <nlohmann/json.hpp>

#include "audio_files.hpp"
#include "autograd/error.hpp"
#include "catch.hpp"
#include "networks.hpp"
#include "nn/io/save_load.hpp"

using namespace audio_files;
using namespace networks;
using namespace nn::io;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

TEST_CASE("metadata keep their types, and become those that the program reads") {
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  struct Known {
    Format format;
    const char* key;
    json::value_t type;
  };
  using enum json::value_t;
  const std::vector<Known> known{
      {Format::nam, "loudness", number_float},
      {Format::nam, "gain", number_float},
      {Format::nam, "input_level_dbu", number_float},
      {Format::nam, "output_level_dbu", number_float},
      {Format::nam, "name", string},
      {Format::nam, "modeled_by", string},
      {Format::nam, "gear_type", string},
      {Format::nam, "gear_make", string},
      {Format::nam, "gear_model", string},
      {Format::nam, "tone_type", string},
      {Format::nam, "date", object},
      {Format::nam, "training", object},
      {Format::aidax, "name", string},
      {Format::aidax, "source", string},
      {Format::aidax, "style", string},
      {Format::aidax, "based", string},
      {Format::aidax, "author", string},
      {Format::aidax, "dataset", string},
      {Format::aidax, "license", string},
      {Format::aidax, "esr", number_float},
  };
  const std::vector<std::pair<MetadataValue, json>> values{
      {"-18.5", "-18.5"},
      {-18.5, -18.5},
      {7, 7},
      {"words", "words"},
      {"-18.5 dB", "-18.5 dB"},
      {"nan", "nan"},
      {"inf", "inf"},
      {"", ""},
      {true, true},
      {MetadataValue::json("null"), nullptr},
      {MetadataValue::json(R"({"year": 2024, "list": [[1], [2, 3]]})"),
       {{"year", 2024}, {"list", json::array({json::array({1}), json::array({2, 3})})}}},
      {R"({"year": 2024})", R"({"year": 2024})"},
      {R"({"year": )", R"({"year": )"},
      {R"({"year": 1}, "other": {"a": 2})", R"({"year": 1}, "other": {"a": 2})"},
      {R"({"year": 1}}, "weights": [0], "x": {"y": {"b": 2})", R"({"year": 1}}, "weights": [0], "x": {"y": {"b": 2})"},
      {R"({"year": 1, "year": 2})", R"({"year": 1, "year": 2})"},
      {MetadataValue::json("[1, 2]"), json::array({1, 2})},
  };
  for (const auto& [format, key, type] : known)
    for (const auto& [value, plain] : values) {
      INFO(name(format) << " " << key << " " << plain.dump());
      json expected = plain;
      bool can = plain.is_null();
      if (type == string) can = can || plain.is_string();
      if (type == number_float) {
        can = can || plain.is_number() || plain == "-18.5";
        if (plain == "-18.5") expected = -18.5;
      }
      if (type == object) {
        can = can || plain.is_object() || plain == R"({"year": 2024})";
        if (plain.is_string()) expected = {{"year", 2024}};
      }
      if (!can) {
        CHECK_THROWS_WITH(saved_as(network, format, {.metadata = {{key, value}}}),
                          StartsWith(std::string("save (") + name(format) + "): metadata " + key + " is "));
        continue;
      }
      const json file = saved_as(network, format, {.metadata = {{key, value}}});
      CHECK(file["metadata"][key] == expected);
      // Again in the same format, and by way of formats that hold texts alone.
      const Network back = nn::io::from_bytes(file.dump());
      CHECK(saved_as(back, format)["metadata"] == file["metadata"]);
      for (const Format texts : {Format::native, Format::onnx, Format::safetensors, Format::guitarml}) {
        const Network other = nn::io::from_bytes(nn::io::to_bytes(back, {.format = texts}), {.format = texts});
        CHECK(saved_as(other, format)["metadata"][key] == expected);
      }
    }
  CHECK_THROWS_WITH(saved_as(network, Format::nam, {.metadata = {{"loudness", "loud"}}}),
                    "save (nam): metadata loudness is loud, and must be a number, -18.5 say");
  CHECK_THROWS_AS(MetadataValue(std::nan("")), ValueError);
  CHECK_THROWS_AS(MetadataValue(HUGE_VAL), ValueError);

  // What a trainer writes, whole: doubles, lists of different lengths, null.
  const json metadata = json::parse(R"({"date": {"year": 2024, "month": 10, "day": 9, "hour": 18, "minute": 44,
      "second": 41}, "loudness": -37.8406867980957, "gain": 0.13508800804658277, "name": "Test", "gear_make": null,
      "input_level_dbu": 18.3, "training": {"delays": [-16], "losses": [[0.1, 0.12345678901234567], [1e300]],
      "checks": {"passed": true}, "validation_esr": 1.2345678901234567e-05}, "unknown": [1, [2]], "flag": false})");
  const json file = with(saved_as(network, Format::nam), "/metadata", metadata);
  const Network read = nn::io::from_bytes(file.dump());
  CHECK(read.dtype == Dtype::float32);  // the doubles are notes
  CHECK(saved_as(read, Format::nam)["metadata"] == metadata);
  for (const Format format : {Format::rtneural, Format::aidax, Format::guitarml, Format::keras})
    for (const auto& [key, value] : metadata.items()) CHECK(saved_as(read, format)["metadata"][key] == value);
}

TEST_CASE("the sample rate goes along in every format that has notes") {
  Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  const auto rate = [](const json& file) { return file["metadata"]["samplerate"]; };
  // What a file does not say is 48 kHz in the formats that name one.
  CHECK(saved_as(network, Format::nam)["sample_rate"] == 48000);
  CHECK(rate(saved_as(network, Format::aidax)) == 48000);
  CHECK_FALSE(saved_as(network, Format::rtneural).contains("metadata"));
  network.sample_rate = 44100;
  for (const Format format : {Format::native, Format::rtneural, Format::aidax, Format::guitarml, Format::nam,
                              Format::keras, Format::onnx, Format::safetensors}) {
    INFO(name(format));
    const Network back = nn::io::from_bytes(nn::io::to_bytes(network, {.format = format}), {.format = format});
    CHECK(back.sample_rate == 44100);
    CHECK(back.metadata.empty());
    CHECK(saved_as(back, Format::nam)["sample_rate"] == 44100);
    CHECK(nn::io::from_bytes(nn::io::to_bytes(back, {.format = format, .sample_rate = 96000})).sample_rate == 96000);
  }
  const json aidax_file = saved_as(network, Format::aidax);
  CHECK(rate(aidax_file).is_number());  // the LV2 plugin takes 48000 for a text
  for (const json& written : {json(22050), json(22050.5), json("22050"), json("22050.5")}) {
    const Network back = nn::io::from_bytes(with(aidax_file, "/metadata/samplerate", written).dump());
    CHECK(back.sample_rate == (written.dump().find(".5") == std::string::npos ? 22050 : 22050.5));
  }
  for (const json& wrong : {json("fast"), json("44100 Hz"), json(0), json(-1), json(true), json::array({44100})})
    CHECK_THAT(fault_of(with(aidax_file, "/metadata/samplerate", wrong), Format::aidax),
               (ContainsSubstring("metadata samplerate is ") && ContainsSubstring("must be a number of Hz")));
  json beside = aidax_file;
  beside.erase("metadata");
  CHECK(nn::io::from_bytes(with(beside, "/samplerate", 44100).dump()).sample_rate == 44100);
  CHECK(nn::io::from_bytes(with(aidax_file, "/samplerate", 44100).dump()).sample_rate == 44100);

  CHECK(rate(saved_as(network, Format::aidax, {.metadata = {{"samplerate", "96000"}}})) == 96000);
  CHECK_THROWS_WITH(saved_as(network, Format::nam, {.metadata = {{"samplerate", "96000"}}, .sample_rate = 48000}),
                    "save (nam): metadata samplerate is 96000, and the sample rate 48000; keep one of them");
  for (const double wrong : {-1.0, std::nan(""), HUGE_VAL})
    CHECK_THROWS_WITH(saved_as(network, Format::nam, {.sample_rate = wrong}), ContainsSubstring("a number of Hz"));
}

TEST_CASE("a sample rate or a note of RTNeural's and AIDA-X's that is null says nothing") {
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  for (const Format format : {Format::rtneural, Format::aidax}) {
    json file = saved_as(network, format);
    file.erase("metadata");
    for (const char* const pointer : {"/samplerate", "/metadata/samplerate", "/esr", "/author"}) {
      INFO(pointer);
      const Network back = nn::io::from_bytes(with(file, pointer, nullptr).dump(), {.format = format});
      CHECK(back.sample_rate == 0);
      CHECK(back.metadata.empty());
    }
    const json both = with(with(file, "/samplerate", 44100), "/metadata/samplerate", nullptr);
    CHECK(nn::io::from_bytes(both.dump(), {.format = format}).sample_rate == 44100);
    CHECK_THAT(fault_of(with(with(file, "/author", "a"), "/metadata/author", "b"), format),
               ContainsSubstring("is a, and in metadata b; keep one of them"));
  }
}

TEST_CASE("a note that is said to be JSON is one value of it") {
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  for (const char* text : {"", "1 2", "1, \"x\": 2", "{\"a\": 1}, \"b\": {}", "{\"a\": 1, \"a\": 2}", "[1", "nan"})
    for (const Format format : {Format::native, Format::rtneural, Format::nam, Format::keras, Format::onnx}) {
      INFO(name(format) << ": " << text);
      CHECK_THROWS_WITH(
          nn::io::to_bytes(network, {.format = format, .metadata = {{"note", MetadataValue::json(text)}}}),
          ContainsSubstring("metadata note: it is no value of JSON"));
    }
  CHECK_THROWS_WITH(saved_as(network, Format::nam, {.metadata = {{"sample_rate", 44100}}}),
                    ContainsSubstring("metadata sample_rate is 44100, and the file's own sample_rate 48000"));
}

TEST_CASE("no note takes the place of what files keep beside their notes") {
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  for (const std::string key : {"self_test", "modules"}) {
    json file = saved_as(network, Format::rtneural);
    file["metadata"][key] = "a note";
    const Network noted = nn::io::from_bytes(file.dump());
    const auto fault = ContainsSubstring(": metadata " + key + ": files keep something else under that name");
    for (const Format format : {Format::native, Format::state_dict, Format::rtneural, Format::nam, Format::keras,
                                Format::onnx, Format::safetensors}) {
      INFO(name(format) << ", " << key);
      CHECK_THROWS_WITH(nn::io::to_bytes(noted, {.format = format}), fault);
      CHECK_THROWS_WITH(nn::io::to_bytes(network, {.format = format, .metadata = {{key, "a note"}}}),
                        format == Format::state_dict ? ContainsSubstring("metadata are notes, which") : fault);
    }
  }
}
