// The main job: trains an LSTM on a series, proves its gradient, forecasts the held-out tail, and exports the weights.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/version.hpp"
#include "command_line.hpp"
#include "forecast/csv.hpp"
#include "forecast/data.hpp"
#include "forecast/evaluate.hpp"
#include "forecast/gnuplot.hpp"
#include "forecast/gradients.hpp"
#include "forecast/interrupt.hpp"
#include "forecast/model.hpp"
#include "forecast/pictures.hpp"
#include "forecast/progress.hpp"
#include "forecast/train.hpp"
#include "nn/io/file.hpp"
#include "nn/io/save_load.hpp"
#include "program.hpp"

namespace {

using namespace forecast;
namespace fs = std::filesystem;

constexpr const char* description =
    R"(Trains an LSTM and a linear layer on a monthly series, and forecasts the part of it that was held out.

The series is split by time: training, then validation, then test. Square roots are taken, so that the spread does not
grow with the level, and scaled by the mean and deviation of the training part. The network reads a window of months and
forecasts the change to the next one; forecasts are recursive, each fed back as the next input, in training too: the
loss is the mean squared error over a rollout of several months. In training noise is added to the windows, as single
months scatter about the course of the series. The weights of the epoch with the best validation loss are kept. Nothing
of the test part is looked at before the evaluation.

After training the gradient of that loss is computed twice, by the tape and by the hand-derived equations of
backpropagation through time. Then forecasts of 24 months start from the month before the test part and from each month
in it. Their RMSE 1, 12 and 24 months ahead is printed beside that of two methods without a model: persistence (the last
known value) and seasonal-naive (the value one season before).

Writes weights.json, metrics.json and, where gnuplot is installed, loss.svg and forecast.svg.
Exit status: 0; 2 for an error in the options or in the data; 130 when interrupted; 1 otherwise.)";

struct Options {
  fs::path data = FORECAST_DATA;
  std::string column;
  fs::path output = "forecast-output";
  std::uint64_t seed = 1;
  std::size_t hidden = 32, layers = 1, season = 132;
  std::string transform = "sqrt";
  DataOptions series;
  TrainOptions training;
};

void add_options(CLI::App& app, Options& options) {
  const auto count = [&](const char* name, std::size_t& value, const char* text, std::size_t least, std::size_t most) {
    app.add_option(name, value, text)->check(whole_number)->check(CLI::Range(least, most))->capture_default_str();
  };
  constexpr std::size_t any = 1'000'000;
  app.add_option("--data", options.data,
                 "CSV file with a header; the first column is the time, or the second, if the first counts the rows")
      ->capture_default_str();
  app.add_option("--column", options.column, "name of the column to forecast; the last one by default");
  app.add_option("--output", options.output, "folder for the results; created if need be")->capture_default_str();
  app.add_option("--seed", options.seed, "of all random numbers: the same seed gives the same bits")
      ->check(whole_number)
      ->capture_default_str();
  count("--epochs", options.training.epochs, "passes over all windows of the training part", 1, any);
  count("--hidden", options.hidden, "width of the LSTM", 1, 4096);
  count("--layers", options.layers, "layers of the LSTM", 1, 16);
  count("--window", options.series.window, "months that the network reads before it forecasts", 1, any);
  count("--rollout", options.series.rollout, "months that it forecasts in training", 1, any);
  count("--batch", options.training.batch, "windows in a batch", 1, any);
  app.add_option("--learning-rate", options.training.learning_rate, "of Adam, at first; a half cosine takes it to 0")
      ->check(finite_number)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--noise", options.training.noise,
                 "deviation of the noise added to the windows in training, where that of the series is 1")
      ->check(finite_number)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--transform", options.transform, "sqrt or none, before scaling")
      ->check(CLI::IsMember({"sqrt", "none"}))
      ->capture_default_str();
  count("--validation-months", options.series.validation_months, "before the test part, to choose the epoch", 1, any);
  count("--test-months", options.series.test_months, "at the end, held out", longest_horizon, any);
  count("--season", options.season,
        "months of a season, for seasonal-naive: 132 for the sunspot cycle, 12 for yearly seasons", 1, any);
}

void check(const Options& options, const Series& series, const Data& data) {
  if (options.season > data.test_begin)
    throw InputError(fmt::format("{}: the {} values before the test part are fewer than a season of {}",
                                 series.place(data.test_begin - 1), data.test_begin, options.season));
}

void create_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && ::access(folder.c_str(), W_OK) != 0) error = {errno, std::generic_category()};
  if (error) throw InputError(fmt::format("can not write to {}: {}", folder.string(), error.message()));
  for (const char* name : {"weights.json", "metrics.json", "loss.svg", "forecast.svg"})
    if (const auto kind = fs::status(folder / name, error); fs::exists(kind) && !fs::is_regular_file(kind))
      throw InputError(fmt::format("can not write {}: there is something that is no file", (folder / name).string()));
}

void print_split(const Series& series, const Data& data) {
  fmt::print("{} of {}{}\n", printable(series.name), series.file.string(),
             series.newest_first ? ", whose rows are the newest first: they are taken the other way round" : "");
  const auto part = [&](const char* name, std::size_t first, std::size_t end) {
    fmt::print("  {:10}  {:5} values, {} to {}\n", name, end - first, series.times[first], series.times[end - 1]);
  };
  part("training", 0, data.validation_begin);
  part("validation", data.validation_begin, data.test_begin);
  part("test", data.test_begin, series.size());
}

/// The digits of the worst parameter.
double check_gradients(const Forecaster<float>& model, const Data& data, std::size_t batch) {
  std::vector<std::size_t> origins = data.origins(0, data.validation_begin, data.rollout);
  origins.resize(std::min(batch, origins.size()));
  const std::vector<Agreement> agreements = compare_gradients(model, data, origins);
  fmt::print("\nAutograd and the backward pass derived by hand, on a batch of {} windows, in double, agree to\n",
             origins.size());
  double worst = 16;
  for (const auto& [parameter, digits] : agreements) {
    fmt::print("  {:18}  {:4.1f} digits\n", parameter, digits);
    worst = std::min(worst, digits);
  }
  fmt::print("  {:18}  {:4.1f} digits\n", "worst", worst);
  if (worst < 8) throw autograd::Error("the two gradients disagree; nothing was written");
  return worst;
}

/// 18.08, and where that would be 0.00 or a long row of digits 1.81e-300.
std::string error_text(double error) {
  return error == 0 || (error >= 0.01 && error < 1e7) ? fmt::format("{:.2f}", error) : fmt::format("{:.2e}", error);
}

void print_scores(const std::vector<Score>& scores) {
  fmt::print("\nRMSE over all held-out origins\n  months ahead  origins     LSTM  persistence  seasonal-naive\n");
  for (const Score& score : scores)
    fmt::print("  {:12}  {:7}  {:>7}  {:>11}  {:>14}\n", score.horizon, score.origins, error_text(score.model),
               error_text(score.persistence), error_text(score.seasonal_naive));
}

nn::io::Metadata metadata(const Options& options, const Data& data) {
  return {{"program", "forecast"},
          {"model", "x[t+1] = x[t] + head(lstm(x)), x = (transform(value) - mean) / deviation"},
          {"transform", options.transform},
          {"mean", fmt::format("{}", data.scaling.mean)},
          {"deviation", fmt::format("{}", data.scaling.deviation)},
          {"window", std::to_string(data.window)},
          {"seed", std::to_string(options.seed)}};
}

std::string metrics(const Options& options, const std::vector<Score>& scores, double digits, double seconds) {
  nlohmann::ordered_json horizons;
  for (const Score& score : scores)
    horizons[std::to_string(score.horizon)] = {
        {"model", score.model}, {"persistence", score.persistence}, {"seasonal_naive", score.seasonal_naive}};
  const nlohmann::ordered_json all = {
      {"horizons", horizons}, {"gradient_digits", digits}, {"seed", options.seed}, {"seconds", seconds}};
  return all.dump(2) + "\n";
}

void run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const Series series = read_csv(options.data, options.column);
  const Data data(series, options.series);
  check(options, series, data);
  remember_interrupts();  // before this a signal ends the program at once, however long the data take to come
  create_folder(options.output);
  print_split(series, data);

  nn::Generator generator(options.seed);
  Forecaster<float> model(options.hidden, options.layers, generator);
  fmt::print("{} parameters, seed {}\n\n", nn::parameter_count(model), options.seed);

  const Training training = [&] {
    Progress progress(options.training.epochs);
    return train(model, data, options.training, generator, [&](const Moment& moment) {
      check_interrupt();
      progress.show(moment);
    });
  }();
  fmt::print("kept the weights of epoch {}, validation loss {:.4f}\n", training.best + 1,
             training.epochs[training.best].validation);

  const double digits = check_gradients(model, data, options.training.batch);
  const std::vector<Forecast> forecasts = forecast_tail(model, data);
  const std::vector<Score> scores = evaluate(forecasts, series.values, options.season);
  for (const Score& score : scores)
    if (!std::isfinite(score.model + score.persistence + score.seasonal_naive))
      throw InputError(
          fmt::format("{}: forecasts of numbers of this size, or their errors, are beyond double precision; "
                      "give the series in a larger unit",
                      series.place(data.test_begin)));
  print_scores(scores);

  check_interrupt();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  nn::io::save(model, options.output / "weights.json", {.metadata = metadata(options, data)});
  nn::io::replace_file(options.output / "metrics.json", metrics(options, scores, digits, seconds.count()));
  fmt::print("\nwrote weights.json and metrics.json to {} after {:.1f} s\n", options.output.string(), seconds.count());
  if (!has_gnuplot())
    fmt::print("no pictures: gnuplot is not installed\n");
  else if (draw_losses(options.output / "loss.svg", training) &&
           draw_forecasts(options.output / "forecast.svg", series, forecasts))
    fmt::print("drew loss.svg and forecast.svg\n");
  else
    fmt::print(stderr, "forecast: gnuplot failed; pictures are missing\n");
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("forecast", 1, [&] {
    Options options;
    CLI::App app{description, "forecast"};
    app.set_version_flag("--version", autograd::build_description());
    add_options(app, options);
    if (const auto status = parse(app, argc, argv)) return *status;
    options.series.square_root = options.transform == "sqrt";
    try {
      run(options);
      return 0;
    } catch (const InputError& error) {
      fmt::print(stderr, "forecast: {}\n", error.what());
      return 2;
    } catch (const Interrupted& error) {
      fmt::print(stderr, "forecast: {}\n", error.what());
      return 130;
    }
  });
}
