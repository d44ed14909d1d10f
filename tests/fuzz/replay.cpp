// Runs a target on its corpus, and on hundreds of mutations of each file, which are the same every time.
//
//   replay TARGET [--mutations N] [FILE...]   N of each file, 200 if it is not given
//   replay TARGET --write FOLDER [FILE...]    writes the corpus, for a fuzzer to begin with
//
// <TARGET>.input is what is being tried: after a crash, or when it takes too long, that is the one.
#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <iostream>
#include <random>

#include "targets.hpp"

namespace {

/// Changes bytes in one to four places.
class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string mutated(std::string bytes) {
    for (std::size_t edits = below(2) ? 1 : 2 + below(3); edits > 0; --edits) edit(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  void edit(std::string& bytes) {
    static constexpr std::array<std::string_view, 20> tokens{
        "-1",         "0",    "1e300", "1e-320",  "18446744073709551616",
        "4294967296", "NaN",  "null",  "true",    "[]",
        "{}",         "\"\"", "[[",    "\\u0000", "\xff",
        "\"",         "t+1",  "(",     ",",       "\n"};
    const std::size_t at = below(bytes.size() + 1);
    const std::size_t length = below(std::min<std::size_t>(bytes.size() - at, 1 + below(64)) + 1);
    switch (below(7)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
        return;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(below(256));
        return;
      case 2:
        bytes.resize(at);
        return;
      case 3:
        bytes.erase(at, length);
        return;
      case 4:
        bytes.insert(below(bytes.size() + 1), bytes.substr(at, length));
        return;
      case 5: {
        const std::string& other = corpus_[below(corpus_.size())];
        const std::size_t from = below(other.size() + 1);
        bytes.replace(at, length, other, from, below(65));
        return;
      }
      default:
        bytes.replace(at, below(2) ? length : 0, tokens[below(tokens.size())]);
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_{1};
};

int replay(const fuzz::Target& target, const std::vector<std::string>& corpus, std::size_t own, std::size_t mutations) {
  const std::filesystem::path trying = target.name + ".input";
  const auto accepts = [&](const std::string& bytes) {
    fuzz::write_file(trying, bytes);
    return fuzz::accepts(target, bytes);
  };
  if (own == 0) throw std::runtime_error(target.name + " has no seeds");
  Mutator mutator(corpus);
  std::size_t taken = 0, refused = 0;
  for (std::size_t k = 0; k < corpus.size(); ++k) {
    const bool accepted = accepts(corpus[k]);
    if (k < own && !accepted) {
      std::cerr << target.name << ": what the library itself writes is refused; see " << trying.string() << '\n';
      return 1;
    }
    for (std::size_t n = 0; n < mutations; ++n) ++(accepts(mutator.mutated(corpus[k])) ? taken : refused);
  }
  std::filesystem::remove(trying);
  std::cout << target.name << ": a corpus of " << corpus.size() << "; of its mutations " << taken << " were taken, "
            << refused << " refused\n";
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty()) throw std::runtime_error("usage: replay TARGET [--mutations N | --write FOLDER] [FILE...]");
  const fuzz::Target& target = fuzz::target(arguments[0]);
  std::vector<std::string> corpus = target.seeds();
  const std::size_t own = corpus.size();
  std::size_t mutations = 200;
  std::filesystem::path folder;
  for (std::size_t k = 1; k < arguments.size(); ++k)
    if (arguments[k] == "--mutations")
      mutations = std::stoul(arguments.at(++k));
    else if (arguments[k] == "--write")
      folder = arguments.at(++k);
    else
      corpus.push_back(target.load(arguments[k]));
  if (folder.empty()) return replay(target, corpus, own, mutations);
  std::filesystem::create_directories(folder);
  for (std::size_t k = 0; k < corpus.size(); ++k) fuzz::write_file(folder / ("seed_" + std::to_string(k)), corpus[k]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "replay: " << error.what() << '\n';
    return 1;
  }
}
