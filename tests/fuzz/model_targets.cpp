// Model files of every format.
#include <stdexcept>

#include "autograd/error.hpp"
#include "nn/io/dialect.hpp"
#include "nn/io/file.hpp"
#include "nn/io/json.hpp"
#include "nn/io/networks.hpp"
#include "nn/module.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

using autograd::Error;
using nn::io::Dialect;
using nn::io::Network;

/// What was read can be written or is refused, and what was written can be read.
void write_and_read(const Network& network, Dialect dialect, const auto& read) {
  std::vector<nn::io::NamedBytes> files;
  try {
    files = nn::io::write(network, dialect, "model");
  } catch (const Error&) {
    return;
  }
  try {
    read(files);
  } catch (const Error& error) {
    throw std::logic_error(std::string("what was written for a network that had been read is refused: ") +
                           error.what());
  }
}

template <Dialect dialect>
void run(std::string_view bytes) {
  try {
    nn::io::read(bytes);  // of whatever format it looks like
  } catch (const Error&) {
  }
  write_and_read(nn::io::read(bytes, dialect), dialect,
                 [](const auto& files) { nn::io::read(files[0].bytes, dialect); });
}

/// The networks that a format can express, of these.
std::vector<std::vector<nn::io::NamedBytes>> written(Dialect dialect) {
  using namespace networks;
  using enum nn::io::Activation;
  const std::vector<std::vector<Spec>> rows{{{lstm, 2}, {linear, 1}},
                                            {{lstm, 8}, {linear, 1}},  // AIDA-X has few sizes
                                            {{gru, 2}, {linear, 1}},
                                            {{gru, 2, false}, {linear, 1}},
                                            {{rnn, 2}},
                                            {{lstm, 2, true, 2}, {lstm, 2, true, 2}},
                                            {{lstm, 3, true, 1, none, 2}},
                                            {{linear, 2, true, 1, relu}, {linear, 1}}};
  std::vector<std::vector<nn::io::NamedBytes>> result;
  for (const auto& row : rows)
    for (const bool self_test : {false, true}) try {
        result.push_back(nn::io::write(random_network(1, row), dialect, "model",
                                       {.metadata = {{"name", "a"}}, .self_test = self_test}));
      } catch (const autograd::ValueError&) {
        continue;  // the format has no such layers
      }
  return result;
}

template <Dialect dialect>
std::vector<std::string> seeds() {
  std::vector<std::string> result;
  for (const auto& files : written(dialect)) result.push_back(files[0].bytes);
  return result;
}

template <Dialect dialect>
Target stand_alone() {
  return {nn::io::name(dialect), run<dialect>, seeds<dialect>, nn::io::read_file};
}

// Of TensorFlow.js the JSON, a NUL, and the numbers, which stand in the file that this names.
constexpr const char* numbers_name = "model.weights.bin";

void run_tfjs(std::string_view bytes) {
  const auto read = [](std::string_view json, std::string_view numbers) {
    scratch_file(numbers_name, numbers);
    return nn::io::load(scratch_file("model.json", json), Dialect::tfjs);
  };
  const std::size_t end = bytes.find('\0');
  const std::string_view numbers = end == bytes.npos ? std::string_view() : bytes.substr(end + 1);
  write_and_read(read(bytes.substr(0, end), numbers), Dialect::tfjs,
                 [&](const auto& files) { read(files[0].bytes, files[1].bytes); });
}

std::vector<std::string> tfjs_seeds() {
  std::vector<std::string> result;
  for (const auto& files : written(Dialect::tfjs)) result.push_back(files[0].bytes + '\0' + files[1].bytes);
  return result;
}

std::string load_tfjs(const std::filesystem::path& file) {
  std::string json = nn::io::read_file(file);
  const std::string name = file.stem().string() + ".weights.bin";
  if (const std::size_t at = json.find(name); at != json.npos) json.replace(at, name.size(), numbers_name);
  return json + '\0' + nn::io::read_file(file.parent_path() / name);
}

/// A module, into which a file is read, or which stays what it was.
struct Pair {
  nn::Parameter<float> matrix{autograd::zeros<float>({2, 3})}, number{autograd::zeros<float>({})};

  static void visit(auto& self, auto&& visitor) {
    visitor("matrix", self.matrix);
    visitor("number", self.number);
  }
};

void run_module(std::string_view bytes) {
  Pair pair;
  const std::string before = nn::io::to_json_text(pair);
  try {
    nn::io::from_json_text(pair, bytes);
  } catch (const Error&) {
    if (nn::io::to_json_text(pair) != before) throw std::logic_error("a module was changed by a file that is refused");
    throw;
  }
  nn::io::from_json_text(pair, nn::io::to_json_text(pair));
}

std::vector<std::string> module_seeds() { return {nn::io::to_json_text(Pair(), {.metadata = {{"name", "a"}}})}; }

}  // namespace

std::vector<Target> model_targets() {
  using enum Dialect;
  return {stand_alone<native>(),     {"module", run_module, module_seeds, nn::io::read_file},
          stand_alone<state_dict>(), stand_alone<rtneural>(),
          stand_alone<aidax>(),      stand_alone<guitarml>(),
          stand_alone<nam>(),        stand_alone<keras>(),
          stand_alone<onnx>(),       {"tfjs", run_tfjs, tfjs_seeds, load_tfjs},
          stand_alone<safetensors>()};
}

}  // namespace fuzz
