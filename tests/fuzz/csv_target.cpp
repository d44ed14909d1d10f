// The series that `forecast` reads.
#include "autograd/error.hpp"
#include "forecast/csv.hpp"
#include "forecast/data.hpp"
#include "nn/io/file.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

void run(std::string_view bytes) {
  try {
    const forecast::Series series = forecast::read_csv(scratch_file("series.csv", bytes));
    const forecast::Data data(series, {.window = 3, .rollout = 2, .validation_months = 4, .test_months = 4});
    data.histories<float>(data.origins(0, data.scaled.size(), 2));
  } catch (const forecast::InputError& error) {
    throw autograd::FormatError(error.what());
  }
}

std::vector<std::string> seeds() {
  std::string months = "month,\"a, b\"\n", newest_first = "month,v\r\n", days = "day,v,w\n", numbers = "v\n";
  for (int k = 0; k < 24; ++k) {
    const auto month = [](int n) {
      return std::to_string(1999 + n / 12) + (n % 12 < 9 ? "-0" : "-") + std::to_string(n % 12 + 1);
    };
    const std::string value = std::to_string(k % 7) + ".5";
    months += month(k) + "," + value + "\n";
    newest_first += month(23 - k) + ",\"" + value + "\"\r\n";
    days += "2020-02-" + std::string(k < 9 ? "0" : "") + std::to_string(k + 1) + ",1," + value + "\n";
    numbers += value + "\n";
  }
  return {months, newest_first, days, numbers};
}

}  // namespace

Target csv_target() { return {"csv", run, seeds, nn::io::read_file}; }

}  // namespace fuzz
