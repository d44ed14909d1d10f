// Notes and sample rates: they keep their types, and become what each program reads, or are refused.
#include <cmath>
#include <nlohmann/json.hpp>

#include "audio_files.hpp"
#include "autograd/error.hpp"
#include "catch.hpp"
#include "networks.hpp"
#include "nn/io/dialect.hpp"

using namespace audio_files;
using namespace networks;
using namespace nn::io;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

TEST_CASE("metadata keep their types, and become those that the program reads") {
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  struct Known {
    Dialect dialect;
    const char* key;
    json::value_t type;
  };
  using enum json::value_t;
  const std::vector<Known> known{
      {Dialect::nam, "loudness", number_float},
      {Dialect::nam, "gain", number_float},
      {Dialect::nam, "input_level_dbu", number_float},
      {Dialect::nam, "output_level_dbu", number_float},
      {Dialect::nam, "name", string},
      {Dialect::nam, "modeled_by", string},
      {Dialect::nam, "gear_type", string},
      {Dialect::nam, "gear_make", string},
      {Dialect::nam, "gear_model", string},
      {Dialect::nam, "tone_type", string},
      {Dialect::nam, "date", object},
      {Dialect::nam, "training", object},
      {Dialect::aidax, "name", string},
      {Dialect::aidax, "source", string},
      {Dialect::aidax, "style", string},
      {Dialect::aidax, "based", string},
      {Dialect::aidax, "author", string},
      {Dialect::aidax, "dataset", string},
      {Dialect::aidax, "license", string},
      {Dialect::aidax, "esr", number_float},
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
      {MetadataValue::json("[1, 2]"), json::array({1, 2})},
  };
  for (const auto& [dialect, key, type] : known)
    for (const auto& [value, plain] : values) {
      INFO(name(dialect) << " " << key << " " << plain.dump());
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
        CHECK_THROWS_WITH(saved_as(network, dialect, {.metadata = {{key, value}}}),
                          StartsWith(std::string("save_") + name(dialect) + ": metadata " + key + " is "));
        continue;
      }
      const json file = saved_as(network, dialect, {.metadata = {{key, value}}});
      CHECK(file["metadata"][key] == expected);
      // Again in the same format, and by way of formats that hold texts alone.
      const Network back = nn::io::read(file.dump());
      CHECK(saved_as(back, dialect)["metadata"] == file["metadata"]);
      for (const Dialect texts : {Dialect::native, Dialect::onnx, Dialect::safetensors, Dialect::guitarml}) {
        const Network other = nn::io::read(nn::io::write(back, texts, "model")[0].bytes, texts);
        CHECK(saved_as(other, dialect)["metadata"][key] == expected);
      }
    }
  CHECK_THROWS_WITH(saved_as(network, Dialect::nam, {.metadata = {{"loudness", "loud"}}}),
                    "save_nam: metadata loudness is loud, and must be a number, -18.5 say");
  CHECK_THROWS_AS(MetadataValue(std::nan("")), ValueError);
  CHECK_THROWS_AS(MetadataValue(HUGE_VAL), ValueError);

  // What a trainer writes, whole: doubles, lists of different lengths, null.
  const json metadata = json::parse(R"({"date": {"year": 2024, "month": 10, "day": 9, "hour": 18, "minute": 44,
      "second": 41}, "loudness": -37.8406867980957, "gain": 0.13508800804658277, "name": "Test", "gear_make": null,
      "input_level_dbu": 18.3, "training": {"delays": [-16], "losses": [[0.1, 0.12345678901234567], [1e300]],
      "checks": {"passed": true}, "validation_esr": 1.2345678901234567e-05}, "unknown": [1, [2]], "flag": false})");
  const json file = with(saved_as(network, Dialect::nam), "/metadata", metadata);
  const Network read = nn::io::read(file.dump());
  CHECK(read.dtype == Dtype::float32);  // the doubles are notes
  CHECK(saved_as(read, Dialect::nam)["metadata"] == metadata);
  for (const Dialect dialect : {Dialect::rtneural, Dialect::aidax, Dialect::guitarml, Dialect::keras})
    for (const auto& [key, value] : metadata.items()) CHECK(saved_as(read, dialect)["metadata"][key] == value);
}

TEST_CASE("the sample rate goes along in every format that has notes") {
  Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  const auto rate = [](const json& file) { return file["metadata"]["samplerate"]; };
  // What a file does not say is 48 kHz in the formats that name one.
  CHECK(saved_as(network, Dialect::nam)["sample_rate"] == 48000);
  CHECK(rate(saved_as(network, Dialect::aidax)) == 48000);
  CHECK_FALSE(saved_as(network, Dialect::rtneural).contains("metadata"));
  network.sample_rate = 44100;
  for (const Dialect dialect : {Dialect::native, Dialect::rtneural, Dialect::aidax, Dialect::guitarml, Dialect::nam,
                                Dialect::keras, Dialect::onnx, Dialect::safetensors}) {
    INFO(name(dialect));
    const Network back = nn::io::read(nn::io::write(network, dialect, "model")[0].bytes, dialect);
    CHECK(back.sample_rate == 44100);
    CHECK(back.metadata.empty());
    CHECK(saved_as(back, Dialect::nam)["sample_rate"] == 44100);
    CHECK(nn::io::read(nn::io::write(back, dialect, "model", {.sample_rate = 96000})[0].bytes).sample_rate == 96000);
  }
  const json aidax_file = saved_as(network, Dialect::aidax);
  CHECK(rate(aidax_file).is_number());  // the LV2 plugin takes 48000 for a text
  for (const json& written : {json(22050), json(22050.5), json("22050"), json("22050.5")}) {
    const Network back = nn::io::read(with(aidax_file, "/metadata/samplerate", written).dump());
    CHECK(back.sample_rate == (written.dump().find(".5") == std::string::npos ? 22050 : 22050.5));
  }
  for (const json& wrong : {json("fast"), json("44100 Hz"), json(0), json(-1), json(true), json::array({44100})})
    CHECK_THAT(fault_of(with(aidax_file, "/metadata/samplerate", wrong), Dialect::aidax),
               (ContainsSubstring("metadata samplerate is ") && ContainsSubstring("must be a number of Hz")));
  json beside = aidax_file;
  beside.erase("metadata");
  CHECK(nn::io::read(with(beside, "/samplerate", 44100).dump()).sample_rate == 44100);
  CHECK(nn::io::read(with(aidax_file, "/samplerate", 44100).dump()).sample_rate == 44100);

  CHECK(rate(saved_as(network, Dialect::aidax, {.metadata = {{"samplerate", "96000"}}})) == 96000);
  CHECK_THROWS_WITH(saved_as(network, Dialect::nam, {.metadata = {{"samplerate", "96000"}}, .sample_rate = 48000}),
                    "save_nam: metadata samplerate is 96000, and the sample rate 48000; keep one of them");
  for (const double wrong : {-1.0, std::nan(""), HUGE_VAL})
    CHECK_THROWS_WITH(saved_as(network, Dialect::nam, {.sample_rate = wrong}), ContainsSubstring("a number of Hz"));
}

TEST_CASE("a sample rate or a note of RTNeural's and AIDA-X's that is null says nothing") {
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  for (const Dialect dialect : {Dialect::rtneural, Dialect::aidax}) {
    json file = saved_as(network, dialect);
    file.erase("metadata");
    for (const char* const pointer : {"/samplerate", "/metadata/samplerate", "/esr", "/author"}) {
      INFO(pointer);
      const Network back = nn::io::read(with(file, pointer, nullptr).dump(), dialect);
      CHECK(back.sample_rate == 0);
      CHECK(back.metadata.empty());
    }
    const json both = with(with(file, "/samplerate", 44100), "/metadata/samplerate", nullptr);
    CHECK(nn::io::read(both.dump(), dialect).sample_rate == 44100);
    CHECK_THAT(fault_of(with(with(file, "/author", "a"), "/metadata/author", "b"), dialect),
               ContainsSubstring("is a, and in metadata b; keep one of them"));
  }
}

TEST_CASE("no note takes the place of what files keep beside their notes") {
  const Network network = random_network(1, {{lstm, 8}, {linear, 1}});
  for (const std::string key : {"self_test", "modules"}) {
    json file = saved_as(network, Dialect::rtneural);
    file["metadata"][key] = "a note";
    const Network noted = nn::io::read(file.dump());
    const auto fault = ContainsSubstring(": metadata " + key + ": files keep something else under that name");
    for (const Dialect dialect : {Dialect::native, Dialect::state_dict, Dialect::rtneural, Dialect::nam, Dialect::keras,
                                  Dialect::onnx, Dialect::safetensors}) {
      INFO(name(dialect) << ", " << key);
      CHECK_THROWS_WITH(nn::io::write(noted, dialect, "m"), fault);
      CHECK_THROWS_WITH(nn::io::write(network, dialect, "m", {.metadata = {{key, "a note"}}}), fault);
    }
  }
}
