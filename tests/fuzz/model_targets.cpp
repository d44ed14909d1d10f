// Model files of every format.
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/error.hpp"
#include "nn/io/file.hpp"
#include "nn/io/formats/table.hpp"
#include "nn/io/networks.hpp"
#include "nn/io/save_load.hpp"
#include "nn/io/self_test.hpp"
#include "nn/module.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

using autograd::Error;
using nn::io::Format;
using nn::io::Network;

/// What was read can be written or is refused, and what was written can be read.
void write_and_read(const auto& write, const auto& read) {
  decltype(write()) written;
  try {
    written = write();
  } catch (const Error&) {
    return;
  }
  try {
    read(written);
  } catch (const Error& error) {
    throw std::logic_error(std::string("what was written for a network that had been read is refused: ") +
                           error.what());
  }
}

template <Format format>
void run(std::string_view bytes) {
  try {
    nn::io::from_bytes(bytes);  // of whatever format it looks like
  } catch (const Error&) {
  }
  const Network network = nn::io::from_bytes(bytes, {.format = format});
  write_and_read([&] { return nn::io::to_bytes(network, {.format = format}); },
                 [](const std::string& written) { nn::io::from_bytes(written, {.format = format}); });
}

/// What write(network, self_test) gives for the networks that a format can express, of these.
std::vector<std::string> written(const auto& write) {
  using namespace networks;
  using enum nn::Nonlinearity;
  const std::vector<std::vector<Spec>> rows{{{lstm, 2}, {linear, 1}},
                                            {{lstm, 8}, {linear, 1}},  // AIDA-X has few sizes
                                            {{gru, 2}, {linear, 1}},
                                            {{gru, 2, false}, {linear, 1}},
                                            {{rnn, 2}},
                                            {{lstm, 2, true, 2}, {lstm, 2, true, 2}},
                                            {{lstm, 3, true, 1, identity, 2}},
                                            {{linear, 2, true, 1, relu}, {linear, 1}}};
  std::vector<std::string> result;
  for (const auto& row : rows)
    for (const bool self_test : {false, true}) try {
        result.push_back(write(random_network(1, row), self_test));
      } catch (const autograd::ValueError&) {
        continue;  // the format has no such layers
      }
  return result;
}

template <Format format>
std::vector<std::string> seeds() {
  return written([](const Network& network, bool self_test) {
    const nn::io::Metadata metadata =
        format == Format::state_dict ? nn::io::Metadata{} : nn::io::Metadata{{"name", "a"}};
    return nn::io::to_bytes(network, {.format = format, .metadata = metadata, .self_test = self_test});
  });
}

template <Format format>
Target stand_alone() {
  return {nn::io::name(format), run<format>, seeds<format>, nn::io::read_file};
}

// Of TensorFlow.js the JSON, a NUL, and the numbers, which stand in the file that this names.
constexpr const char* numbers_name = "model.weights.bin";

std::string write_tfjs(const Network& network) {
  if (const std::string why = nn::io::formats::inexpressible(network, Format::tfjs); !why.empty())
    throw autograd::ValueError(why);
  const auto files = nn::io::formats::write({network, "write", "model"}, Format::tfjs);
  return files[0].bytes + '\0' + files[1].bytes;
}

Network read_tfjs(std::string_view bytes) {
  const std::size_t end = bytes.find('\0');
  scratch_file(numbers_name, end == bytes.npos ? std::string_view() : bytes.substr(end + 1));
  return nn::io::load(scratch_file("model.json", bytes.substr(0, end)), {.format = Format::tfjs});
}

void run_tfjs(std::string_view bytes) {
  const Network network = read_tfjs(bytes);
  write_and_read([&] { return write_tfjs(network); }, [](const std::string& written) { read_tfjs(written); });
}

std::vector<std::string> tfjs_seeds() {
  return written([](Network network, bool self_test) {
    network.metadata["name"] = "a";
    if (self_test) network.self_test = nn::io::make_self_test(network);
    return write_tfjs(network);
  });
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
  const std::string before = nn::io::to_bytes(pair);
  try {
    nn::io::from_bytes(pair, bytes);
  } catch (const Error&) {
    if (nn::io::to_bytes(pair) != before) throw std::logic_error("a module was changed by a file that is refused");
    throw;
  }
  nn::io::from_bytes(pair, nn::io::to_bytes(pair));
}

std::vector<std::string> module_seeds() { return {nn::io::to_bytes(Pair(), {.metadata = {{"name", "a"}}})}; }

}  // namespace

std::vector<Target> model_targets() {
  using enum Format;
  return {stand_alone<native>(),     {"module", run_module, module_seeds, nn::io::read_file},
          stand_alone<state_dict>(), stand_alone<rtneural>(),
          stand_alone<aidax>(),      stand_alone<guitarml>(),
          stand_alone<nam>(),        stand_alone<keras>(),
          stand_alone<onnx>(),       {"tfjs", run_tfjs, tfjs_seeds, load_tfjs},
          stand_alone<safetensors>()};
}

}  // namespace fuzz
