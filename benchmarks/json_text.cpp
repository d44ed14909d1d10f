// Weights to JSON and back: our own writer and reader, and nlohmann's, over numbers of random bits.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "nn/io/formats/formats.hpp"
#include "report.hpp"

namespace {

using namespace benchmark;

constexpr std::size_t count = 1'000'000;

template <class T>
std::vector<double> random_finite() {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::mt19937_64 random(11);
  std::vector<double> numbers;
  while (numbers.size() < count)
    if (const T number = std::bit_cast<T>(static_cast<Bits>(random())); std::isfinite(number))
      numbers.push_back(static_cast<double>(number));
  return numbers;
}

template <class T>
void compare(const char* dtype, const Options& options, Report& report) {
  nn::io::Weights weights{.dtype = sizeof(T) == 4 ? nn::io::Dtype::float32 : nn::io::Dtype::float64};
  weights.tensors.emplace_back("w", nn::io::Tensor{{count}, random_finite<T>()});
  const std::vector<double>& numbers = weights.tensors[0].second.values;
  const nlohmann::json peer(std::vector<T>(numbers.begin(), numbers.end()));
  std::string text = nn::io::formats::write_native(weights), peer_text = peer.dump();
  std::size_t sink = 0;
  const std::vector<Contestant> contestants{
      {.engine = "wengert", .name = "write", .work = [&] { sink += nn::io::formats::write_native(weights).size(); }},
      {.engine = "nlohmann", .name = "write", .work = [&] { sink += peer.dump().size(); }},
      {.engine = "wengert",
       .name = "read",
       .work =
           [&] {
             sink += nn::io::formats::read_native({text, "read"}).tensors.size();
           }},
      {.engine = "nlohmann", .name = "read", .work = [&] { sink += nlohmann::json::parse(peer_text).size(); }},
  };
  const std::vector<Times> times = take_turns(contestants, options.rounds);
  std::vector<std::string> cells{dtype};
  for (std::size_t k = 0; k < contestants.size(); ++k) {
    cells.push_back(benchmark::text(times[k].median_us / 1e3, 0));
    report.row({{"engine", contestants[k].engine},
                {"op", contestants[k].name},
                {"numbers", count},
                {"dtype", dtype},
                {"threads", 1},
                {"median_us", times[k].median_us}});
  }
  cells.push_back(fmt::format("{:.1f}", static_cast<double>(text.size()) / count));
  report.line(cells);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times a million numbers to JSON and back, beside nlohmann's."};
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options);
  Report report(options, "json_text", {"a million of", "write, ms", "nlohmann", "read, ms", "nlohmann", "bytes each"});
  compare<float>("float", options, report);
  compare<double>("double", options, report);
  report.finish();
}
