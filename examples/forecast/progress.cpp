#include "forecast/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace forecast {

namespace {

std::string minutes(double seconds) {
  const auto whole = static_cast<long>(seconds + 0.5);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string bar(double fraction) {
  constexpr std::size_t width = 20;
  const auto filled = static_cast<std::size_t>(fraction * width);
  return std::string(filled, '#') + std::string(width - filled, '.');
}

}  // namespace

Progress::Progress(std::size_t epochs) : epochs_(epochs), terminal_(::isatty(STDOUT_FILENO) == 1) {}

Progress::~Progress() {
  if (open_) std::puts("");
}

void Progress::show(const Moment& moment) {
  const bool epoch_done = moment.batches_done == moment.batches;
  const Clock::time_point now = Clock::now();
  if (terminal_ ? !epoch_done && now - drawn_ < std::chrono::milliseconds(100) : !epoch_done) return;
  drawn_ = now;

  const double finished = static_cast<double>(moment.epochs.size() - epoch_done) +
                          static_cast<double>(moment.batches_done) / static_cast<double>(moment.batches);
  const double fraction = finished / static_cast<double>(epochs_);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const std::string validation =
      moment.epochs.empty() ? "     -" : fmt::format("{:6.4f}", moment.epochs.back().validation);
  const std::string numbers =
      fmt::format("loss {:6.4f}  val {}  |grad| {:6.3f}  {} left", moment.current.loss, validation,
                  moment.current.gradient_norm, minutes(elapsed / fraction * (1 - fraction)));
  const std::size_t epoch = moment.epochs.size() + !epoch_done;
  if (terminal_)
    fmt::print("\r{:3}/{} {} {}\033[K", epoch, epochs_, bar(fraction), numbers);  // then clear to the end of the line
  else
    fmt::print("epoch {:3}/{}  {}\n", epoch, epochs_, numbers);
  open_ = terminal_;
  std::fflush(stdout);
}

}  // namespace forecast
