// AIDA-X, RTNeural, GuitarML and NAM: every option and key is what the program makes of it, or refused.
#include <nlohmann/json.hpp>

#include "audio_files.hpp"
#include "audio_programs.hpp"
#include "autograd/error.hpp"
#include "catch.hpp"
#include "networks.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/save_load.hpp"

using namespace audio_files;
using namespace audio_programs;
using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using nn::Nonlinearity;
using nn::infer::evaluate;

namespace {

Rows question(const Network& network) { return rows_of(Random(99).tensor({20, network.input_size()})); }

Rows answer(const Network& network) {
  return rows_of(evaluate(network, Random(99).tensor({20, network.input_size()})));
}

/// Reads a file, and requires that it answers as the program, or that it is refused. Whether it was read.
template <class Run>
bool read_as_run(const json& file, Format format, const Run& run) {
  Network network;
  try {
    network = nn::io::from_bytes(file.dump(), {.format = format});
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(), StartsWith(std::string("load (") + name(format) + ")"));
    return false;
  }
  const Rows input = question(network);
  Rows expected;
  CHECK_NOTHROW(expected = run(file, input));
  CHECK(largest_difference(answer(network), expected) < 1e-6);
  return true;
}

/// Writes a network, and requires that the program answers as the network, or that it is refused. Whether it was
/// written.
template <class Run>
bool written_as_run(const Network& network, Format format, const Run& run) {
  json file;
  try {
    file = saved_as(network, format);
  } catch (const ValueError& error) {
    CHECK_THAT(error.what(), StartsWith(std::string("save (") + name(format) + "): "));
    return false;
  }
  Rows output;
  CHECK_NOTHROW(output = run(file, question(network)));
  CHECK(largest_difference(output, answer(network)) < 1e-6);
  return true;
}

const auto aidax = [](const json& file, const Rows& input) { return run_aidax(file, input); };
const auto core_audio = [](const json& file, const Rows& input) { return run_core_audio(file, input); };
const auto nam_core = [](const json& file, const Rows& input) { return run_nam_core(file, input, 7); };
const auto rt_neural = [](const json& file, const Rows& input) { return run_rtneural(file.dump(), input); };

}  // namespace

TEST_CASE("AIDA-X: every network is run as it is, or refused") {
  std::size_t written = 0;
  for (const auto kind : {lstm, gru, rnn})
    for (const std::size_t size : {8, 9})
      for (const std::size_t inputs : {1, 2, 3, 4})
        for (const std::size_t outputs : {1, 2})
          for (const Nonlinearity activation : {Nonlinearity::identity, Nonlinearity::tanh, Nonlinearity::relu,
                                                Nonlinearity::sigmoid, Nonlinearity::softmax})
            for (const std::size_t skip : {0, 1, 2})
              for (const auto& [before, after] :
                   {std::pair{0.0, 0.0}, {-6.0, 0.0}, {0.0, 3.5}, {-90.0, 0.0}, {0.0, 800.0}}) {
                Network network = random_network(inputs, {{kind, size}, {linear, outputs, true, 1, activation}});
                network.skip = skip;
                network.input_gain_db = before;
                network.output_gain_db = after;
                INFO(name(kind) << "(" << inputs << ", " << size << ") to " << outputs << ", " << name(activation)
                                << ", skip " << skip << ", gains " << before << " and " << after);
                const bool can = kind != rnn && size != 9 && inputs < 4 && outputs == 1 &&
                                 activation == Nonlinearity::identity && skip < 2 && before > -90 && after < 800 &&
                                 (before == 0 || inputs == 1);
                CHECK(written_as_run(network, Format::aidax, aidax) == can);
                written += can;
              }
  CHECK(written == 2 * (3 + 2 + 2) * 2);
  const std::set<std::size_t> sizes{8, 12, 16, 20, 24, 32, 40, 64, 80};
  for (std::size_t size = 1; size < 90; ++size) {
    const Network network = random_network(1, {{lstm, size}, {linear, 1}});
    if (sizes.contains(size))
      CHECK_NOTHROW(saved_as(network, Format::aidax));
    else
      CHECK_THROWS_WITH(saved_as(network, Format::aidax), ContainsSubstring("has no hidden size of"));
  }
  CHECK_THROWS_WITH(
      saved_as(random_network(1, {{lstm, 8}, {linear, 1, true, 1, Nonlinearity::tanh}}), Format::aidax),
      "save (aidax): linear is followed by an activation, which an AIDA-X model can not express; rtneural, "
      "keras, onnx, tfjs can; write one of these");
  CHECK_THROWS_WITH(saved_as(random_network(1, {{lstm, 8}, {lstm, 8}, {linear, 1}}), Format::aidax),
                    ContainsSubstring("an AIDA-X model is one LSTM or GRU with up to 3 inputs"));
}

TEST_CASE("AIDA-X: every key of a file is read as the plugin reads it, or refused") {
  for (const std::size_t inputs : {1, 2}) {
    const json good = saved_as(random_network(inputs, {{inputs == 1 ? lstm : gru, 8}, {linear, 1}}), Format::aidax);
    CHECK(read_as_run(good, Format::aidax, aidax));
    const json one = good["layers"][1];
    struct Change {
      const char* pointer;
      std::vector<json> read, refused;
    };
    const std::vector<Change> changes{
        {"/in_skip", {0, 1, 0.0, 1.0, absent}, {2, -1, 0.5, "1", true, nullptr, json::array({1})}},
        {"/in_gain", {0, absent}, {-90, -91.5, 1000, "3", true, nullptr}},
        {"/out_gain", {0, 3, -6.5, absent}, {-90, -91.5, 1000, "3", true, nullptr}},
        {"/layers/0/activation", {"", "tanh", absent}, {"relu", "sigmoid", "linear", "swish", 1, nullptr}},
        {"/layers/1/activation", {"", "linear", absent}, {"tanh", "relu", "sigmoid", "softmax", "elu", "swish", 1}},
        {"/layers/1/type", {"dense", "time-distributed-dense"}, {"conv1d", "lstm", "activation", "", 1, absent}},
        {"/layers/0/type", {}, {"dense", "rnn", "LSTM", absent}},
        {"/layers/1/shape", {{1}, {1, 1, 1}}, {{1, 1, 2}, {1, 1, 1, 1}, absent}},
        {"/layers/1/weights", {json::array({one["weights"][0]})}, {json::array(), absent}},
        {"/layers/2",
         {},
         {one, {{"type", "activation"}, {"activation", "tanh"}, {"shape", {1}}, {"weights", json::array()}}}},
        {"/layers/0/name", {"first"}, {}},
        {"/layers/0/go_backwards", {}, {true, false}},
        {"/layers/0/stateful", {}, {true}},
        {"/layers/1/use_bias", {}, {false}},
        {"/in_shape",
         {{nullptr, nullptr, inputs}, {inputs}},
         {{nullptr, nullptr, inputs + 1}, {1, 1, 1, inputs}, absent}},
        {"/author", {"somebody"}, {json::object()}},
        {"/samplerate", {48000}, {44100, "fast", json::array({1})}},
        {"/dropout", {}, {0.5, 0}},
        {"/activation", {}, {"tanh"}},
        {"/output_batch", {}, {json::array({1, 2})}},
        {"/input_batch", {}, {json::array({1, 2}), 1}},
    };
    for (const auto& [pointer, read, refused] : changes) {
      for (const json& value : read) {
        INFO(pointer << " " << (value.is_discarded() ? "absent" : value.dump()));
        CHECK(read_as_run(changed(good, pointer, value), Format::aidax, aidax));
      }
      for (const json& value : refused) {
        INFO(pointer << " " << (value.is_discarded() ? "absent" : value.dump()));
        CHECK_FALSE(read_as_run(changed(good, pointer, value), Format::aidax, aidax));
      }
    }
    // The plugin's input gain is for the sound alone, the library's for all inputs.
    CHECK(read_as_run(with(good, "/in_gain", 3), Format::aidax, aidax) == (inputs == 1));
  }
  const json good = saved_as(random_network(1, {{lstm, 8}, {linear, 1}}), Format::aidax);
  CHECK_THAT(fault_of(with(good, "/layers/1/activation", "tanh"), Format::aidax),
             ContainsSubstring("/layers: AIDA-X runs one LSTM or GRU and a linear layer with one output and no "
                               "activation, and ignores whatever else is there; read the file as rtneural"));
  CHECK_THAT(fault_of(with(good, "/dropout", 0.5), Format::aidax), ContainsSubstring("/dropout: unknown key"));
  // Any one of AIDA-X's keys makes it a file of AIDA-X.
  json bare = good;
  for (const char* const key : {"in_skip", "in_gain", "out_gain"}) bare.erase(key);
  for (const char* const key : {"in_skip", "in_gain", "out_gain"}) {
    const Network network = nn::io::from_bytes(with(bare, std::string("/") + key, 1).dump());
    CHECK(network.skip + std::abs(network.input_gain_db) + std::abs(network.output_gain_db) == 1);
  }
}

TEST_CASE("RTNeural: every key of a file is read as the program reads it, or refused") {
  const json good =
      saved_as(random_network(2, {{gru, 4}, {linear, 3, true, 1, Nonlinearity::relu}, {linear, 3}}), Format::rtneural);
  CHECK(read_as_run(good, Format::rtneural, rt_neural));
  const auto activation = [](const char* name, std::size_t size) {
    return json{{"type", "activation"}, {"activation", name}, {"shape", {size}}, {"weights", json::array()}};
  };
  const auto inserted = [](json file, std::size_t at, const json& layer) {
    file["layers"].insert(file["layers"].begin() + static_cast<std::ptrdiff_t>(at), layer);
    return file;
  };
  for (const char* const key : {"in_skip", "in_gain", "out_gain"}) {
    CHECK(read_as_run(with(good, std::string("/") + key, 0), Format::rtneural, rt_neural));
    CHECK_THAT(
        fault_of(with(good, std::string("/") + key, 1), Format::rtneural),
        ContainsSubstring(std::string(key) + ": RTNeural ignores it, and AIDA-X does not; read the file as aidax"));
  }
  for (const char* const name : {"relu", "sigmoid", "elu", ""})
    CHECK(read_as_run(with(good, "/layers/0/activation", name), Format::rtneural, rt_neural) == (*name == 0));
  // An activation as a layer of its own, after the last layer, which has none.
  const Network tanh_after =
      nn::io::from_bytes(inserted(good, 3, activation("tanh", 3)).dump(), {.format = Format::rtneural});
  CHECK(largest_difference(answer(tanh_after), run_rtneural(with(good, "/layers/2/activation", "tanh").dump(),
                                                            question(tanh_after))) < 1e-6);
  for (const auto& [at, layer] : {std::pair{std::size_t(1), activation("tanh", 4)},  // after the GRU
                                  {2, activation("tanh", 3)},                        // after one with relu
                                  {0, activation("tanh", 2)},
                                  {3, activation("tanh", 2)},
                                  {3, activation("swish", 3)}})
    CHECK_FALSE(fault_of(inserted(good, at, layer), Format::rtneural).empty());
  json weighted = activation("tanh", 3);
  weighted["weights"] = json::array({json::array({1, 2, 3})});
  CHECK_FALSE(fault_of(inserted(good, 3, weighted), Format::rtneural).empty());
  for (const char* const type : {"conv1d", "prelu", "batchnorm", "gated_activation", "unknown"})
    CHECK_THAT(fault_of(with(good, "/layers/1/type", type), Format::rtneural), ContainsSubstring("/layers/1/type"));
  for (const char* const key : {"epsilon", "groups", "return_sequences", "recurrent_activation"})
    CHECK_THAT(fault_of(with(good, std::string("/layers/0/") + key, 1), Format::rtneural),
               ContainsSubstring(std::string("/layers/0/") + key + ": unknown key"));
}

TEST_CASE("AIDA-X: its test is of one sound, without gains and with the knobs at 0") {
  for (const auto kind : {lstm, gru})
    for (const std::size_t inputs : {1, 2, 3})
      for (const std::size_t skip : {0, 1}) {
        Network network = random_network(inputs, {{kind, 12}, {linear, 1}});
        network.skip = skip;
        network.output_gain_db = 3;
        if (inputs == 1) network.input_gain_db = -6;
        const json file = saved_as(network, Format::aidax, {.self_test = true});
        // Ours passes the plugin's test.
        REQUIRE(file["input_batch"].size() == file["output_batch"].size());
        Rows sound;
        for (const double sample : file["input_batch"]) {
          sound.push_back(Row(inputs));
          sound.back()[0] = sample;
        }
        const Rows output = run_aidax(file, sound, false);
        for (std::size_t t = 0; t < sound.size(); ++t)
          CHECK(std::abs(output[t][0] - file["output_batch"][t].get<double>()) < 1e-6);
        // The plugin's, without a tolerance, is read, run, and found wrong where it is.
        json theirs = file;
        theirs.erase("tolerance");
        const Network back = nn::io::from_bytes(theirs.dump());
        REQUIRE(back.self_test.has_value());
        CHECK(back.self_test->input.shape == Shape{sound.size(), inputs});
        CHECK(largest_difference(answer(back), answer(network)) < 1e-6);
        theirs["output_batch"][7] = theirs["output_batch"][7].get<double>() + 1e-3;
        CHECK_THAT(fault_of(theirs, Format::aidax), ContainsSubstring("self_test: at step 7"));
        theirs["output_batch"].erase(0);
        CHECK_THAT(fault_of(theirs, Format::aidax), ContainsSubstring("expected one list of samples each"));
        // Of more inputs than the plugin has it is no test.
        const json wide = saved_as(random_network(4, {{kind, 12}, {linear, 1}}), Format::rtneural);
        CHECK_THAT(fault_of(with(with(wide, "/input_batch", {1, 2}), "/output_batch", {1, 2}), Format::rtneural),
                   ContainsSubstring("takes up to 3 inputs, not 4"));
        // As an ONNX file it has a test of its own.
        const Network onnx = nn::io::from_bytes(nn::io::to_bytes(back, {.format = Format::onnx, .self_test = true}),
                                                {.format = Format::onnx});
        CHECK(onnx.self_test->gains);
      }
}

TEST_CASE("GuitarML: every network is run as it is, or refused") {
  std::size_t written = 0;
  for (const auto kind : {lstm, gru, rnn})
    for (const Nonlinearity activation : {Nonlinearity::tanh, Nonlinearity::relu})
      for (const std::size_t size : {3, 40})
        for (const std::size_t levels : {1, 2})
          for (const std::size_t inputs : {1, 2, 4})
            for (const std::size_t outputs : {1, 2})
              for (const std::size_t skip : {0, 1, 2})
                for (const bool bias : {true, false}) {
                  if (kind != rnn && activation == Nonlinearity::relu) continue;
                  if (size == 40 && (kind != lstm || !bias)) continue;
                  std::vector<Spec> specs(levels,
                                          Spec{kind, size, true, 1, kind == rnn ? activation : Nonlinearity::identity});
                  specs.push_back({linear, outputs});
                  Network network = random_network(inputs, specs);
                  if (!bias)
                    for (Layer& layer : network.layers) layer.directions[0].bias_ih = {};
                  network.skip = skip;
                  INFO(name(kind) << " " << name(activation) << "(" << inputs << ", " << size << ") x " << levels
                                  << " to " << outputs << ", skip " << skip << (bias ? "" : ", no bias"));
                  const bool proteus = size != 40 || (levels == 1 && inputs <= 3 && outputs == 1 && skip == 1);
                  const bool can =
                      activation == Nonlinearity::tanh && proteus && skip <= inputs && (skip == 0 || skip == outputs);
                  CHECK(written_as_run(network, Format::guitarml, core_audio) == can);
                  if (can) CHECK(read_as_run(saved_as(network, Format::guitarml), Format::guitarml, core_audio));
                  written += can;
                }
  CHECK(written == 3 * 2 * 2 * (6 + 3 + 2) + 2);
  CHECK_THROWS_WITH(saved_as(random_network(1, {{lstm, 40}, {linear, 1}}), Format::guitarml),
                    ContainsSubstring("Proteus would load an LSTM of 40 units, and run"));
}

TEST_CASE("GuitarML: every key and array of a file is read as CoreAudioML reads it, or refused") {
  std::size_t read = 0;
  for (const auto kind : {lstm, gru, rnn})
    for (const std::size_t outputs : {1, 2})
      for (const std::size_t inputs : {1, 2, 3}) {
        const json good = saved_as(random_network(inputs, {{kind, 3}, {kind, 3}, {linear, outputs}}), Format::guitarml);
        for (const json& skip : {json(0), json(1), json(2), json(3), json(-1), json("1"), json(0.5), absent})
          for (const json& bias : {json(true), json(false), absent})
            for (const bool lin_bias : {true, false}) {
              json file = changed(changed(good, "/model_data/skip", skip), "/model_data/bias_fl", bias);
              if (!lin_bias) file["state_dict"].erase("lin.bias");
              INFO(name(kind) << " of " << inputs << " to " << outputs << ", skip "
                              << (skip.is_discarded() ? "absent" : skip.dump()) << ", bias_fl "
                              << (bias.is_discarded() ? "absent" : bias.dump()) << ", lin.bias " << lin_bias);
              const bool whole = skip.is_number_integer() && skip >= 0;
              const std::size_t added = skip.is_discarded() ? 1 : whole ? std::min(skip.get<std::size_t>(), inputs) : 9;
              const bool can = (bias.is_discarded() || bias == true) == lin_bias && (added == 0 || added == outputs);
              CHECK(read_as_run(file, Format::guitarml, core_audio) == can);
              read += can;
            }
      }
  CHECK(read > 100);

  const json good = saved_as(random_network(1, {{lstm, 3}, {linear, 1}}), Format::guitarml);
  for (const char* const array :
       {"rec.weight_ih_l0", "rec.weight_hh_l0", "rec.bias_ih_l0", "rec.bias_hh_l0", "lin.weight"}) {
    const std::string pointer = std::string("/state_dict/") + array;
    CHECK_THAT(fault_of(changed(good, pointer, absent), Format::guitarml), ContainsSubstring(array));
    CHECK_THAT(fault_of(with(good, pointer, json::array({1})), Format::guitarml), ContainsSubstring(array));
  }
  for (const char* const array :
       {"rec.weight_ih_l1", "rec.weight_ih_l0_reverse", "rec.weight_hr_l0", "lin2.weight", "h0"})
    CHECK_THAT(
        fault_of(with(good, std::string("/state_dict/") + array, json::array({json::array({1})})), Format::guitarml),
        ContainsSubstring(std::string(array) + ": belongs to no array that model_data describes"));
  for (const char* const unit : {"TCN", "lstm", "RNN_RELU", ""})
    CHECK_THAT(fault_of(with(good, "/model_data/unit_type", unit), Format::guitarml),
               ContainsSubstring("expected LSTM, GRU or RNN"));
  CHECK_THAT(fault_of(with(good, "/model_data/model", "GatedConvNet"), Format::guitarml),
             ContainsSubstring("/model_data/model: found \"GatedConvNet\", expected SimpleRNN"));
  CHECK(read_as_run(changed(good, "/model_data/model", absent), Format::guitarml, core_audio));
  for (const char* const key : {"/model_data/bidirectional", "/model_data/dropout", "/blocks", "/activation"})
    CHECK_THAT(fault_of(with(good, key, 0), Format::guitarml), ContainsSubstring(std::string(key) + ": unknown key"));
  CHECK(fault_of(with(good, "/training_info", {{"losses", {0.1, 0.2}}}), Format::guitarml).empty());
  CHECK_FALSE(fault_of(with(good, "/model_data/num_layers", 1000000000), Format::guitarml).empty());
}

TEST_CASE("NAM: inputs and outputs are channels, and old programs do not take a file that has several") {
  for (const std::size_t inputs : {1, 2, 3})
    for (const std::size_t outputs : {1, 2})
      for (const std::size_t levels : {1, 2})
        for (const std::size_t burn_in : {0, 10}) {
          std::vector<Spec> specs(levels, Spec{lstm, 4});
          specs.push_back({linear, outputs});
          const Network network = nn::infer::burnt_in(random_network(inputs, specs), burn_in);
          INFO(inputs << " to " << outputs << ", " << levels << " layers");
          CHECK(written_as_run(network, Format::nam, nam_core));
          const json file = saved_as(network, Format::nam);
          CHECK(read_as_run(file, Format::nam, nam_core));
          if (inputs == 1 && outputs == 1)
            CHECK(largest_difference(run_nam_core(file, question(network), 5), answer(network)) < 1e-6);
          else
            CHECK_THROWS_WITH(run_nam_core(file, question(network), 5), "version");
        }
  const json mono = saved_as(random_network(1, {{lstm, 4}, {linear, 1}}), Format::nam);
  const json two = saved_as(random_network(2, {{lstm, 4}, {linear, 2}}), Format::nam);
  struct Change {
    const json& good;
    const char* pointer;
    std::vector<json> read, refused;
  };
  const std::vector<Change> changes{
      {mono, "/config/in_channels", {1, absent}, {0, 2, 1.5, "1", nullptr}},
      {mono, "/config/out_channels", {1, absent}, {0, 2, 1.5, "1", nullptr}},
      {two, "/config/in_channels", {2}, {absent, 1, 3}},
      {two, "/config/out_channels", {2}, {absent, 1, 3}},
      {two, "/config/input_size", {2}, {absent, 1, 3}},
      {mono, "/config/activation", {}, {"tanh"}},
      {mono, "/config/parametric", {}, {json::object()}},
      {mono,
       "/version",
       {"0.5.0", "0.5.4", "0.6.0", "0.7.0", "0.7.3"},
       {"0.4.9", "0.8.0", "1.0.0", "0.5", "0.5.1.1", "0.5.x", "0.-5.1", "0.5.1 ", "", 0.5, nullptr, absent}},
      {mono, "/architecture", {"LSTM"}, {"WaveNet", "lstm", absent}},
      {mono, "/sample_rate", {44100, 48000.5, absent}, {0, -1, "44100", true}},
      {mono, "/notes", {"anything"}, {}},
      {mono, "/gain", {}, {2}},
      {mono, "/head_scale", {}, {0.5}},
      {mono, "/metadata", {json::object(), nullptr, {{"loudness", -18.5}}}, {"text", json::array({1}), 1}},
  };
  for (const auto& [good, pointer, read, refused] : changes) {
    for (const json& value : read) {
      INFO(pointer << " " << (value.is_discarded() ? "absent" : value.dump()));
      CHECK(read_as_run(changed(good, pointer, value), Format::nam, nam_core));
    }
    for (const json& value : refused) {
      INFO(pointer << " " << (value.is_discarded() ? "absent" : value.dump()));
      CHECK_FALSE(read_as_run(changed(good, pointer, value), Format::nam, nam_core));
    }
  }
  // As it was written before: two inputs, of which no program sets the second.
  json before = two;
  before["version"] = "0.5.1";
  before["config"].erase("in_channels");
  CHECK_THAT(fault_of(before, Format::nam),
             ContainsSubstring("/config: input_size is 2, and in_channels 1, as it is not "
                               "given"));
}
