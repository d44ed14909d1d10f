// Reads models that another program exported, each beside what it answers: import_models FOLDER.
#include <cstdio>
#include <exception>

#include "nn/io/answers.hpp"
#include "nn/io/save_load.hpp"

int main(int, char** argv) {
  std::size_t read = 0, bad = 0;
  double largest = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::filesystem::path path = entry.path();
    if (path.extension() == ".json") continue;
    try {
      const networks::Network network = nn::io::load(path);
      const double difference = networks::difference_from(path.replace_extension("json"), network);
      if (!(difference < 1e-6)) {
        std::printf("%s answers otherwise by %.1e\n", path.c_str(), difference);
        ++bad;
      }
      largest = std::max(largest, difference);
      ++read;
    } catch (const std::exception& error) {
      std::printf("%s\n", error.what());
      ++bad;
    }
  }
  std::printf("read %zu models, whose answers differ by at most %.1e\n", read, largest);
  return bad > 0 || read < 100 ? 1 : 0;
}
