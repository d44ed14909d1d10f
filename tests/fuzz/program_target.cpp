// Random programs of ops, which bytes decide about, held to the complex step.
#include <future>
#include <random>
#include <stdexcept>

#include "autograd/random_program.hpp"
#include "nn/io/file.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

void check(std::string_view bytes) {
  using namespace autograd::testing;
  autograd::Tape<double> tape;
  Count count;
  try {
    check_program(tape, 1, bytes.substr(0, 256), count);  // of more steps each value's complex step takes too long
  } catch (const autograd::Error& error) {
    throw std::logic_error(std::string("a program of ops is refused: ") + error.what());
  }
}

/// On two threads at once, each with a tape of its own.
void run(std::string_view bytes) {
  auto other = std::async(std::launch::async, check, bytes);
  check(bytes);
  other.get();
}

std::vector<std::string> seeds() {
  std::mt19937_64 random(1);
  std::vector<std::string> result(4, std::string(64, '\0'));
  for (std::string& bytes : result)
    for (char& byte : bytes) byte = static_cast<char>(random());
  // Pieces of an array without elements, which has no memory.
  constexpr char pieces[] =
      "\x68\x4e\x9a\x8e\x38\x49\xb4\x09\x00\x10\x00\x1b\x65\x63\xdc\x99\xc1\xba\xe3\xe8\xcf"
      "\x67\x78\x1d\x2b\x7f\x0d\x6e\x4e\x44\x5b";
  result.emplace_back(pieces, sizeof pieces - 1);
  return result;
}

}  // namespace

Target program_target() { return {"programs", run, seeds, nn::io::read_file}; }

}  // namespace fuzz
