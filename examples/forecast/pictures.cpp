#include "forecast/pictures.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string>

#include "forecast/gnuplot.hpp"

namespace forecast {

namespace {

// Colours that stay apart for colour-blind readers (Okabe and Ito).
constexpr const char* styles = R"(
set grid linecolor '#dddddd' linetype 1
set tmargin 3
set border 3 linecolor '#555555'
set tics nomirror
set key at graph 1, graph 1.1 right horizontal samplen 2
set style line 1 linecolor '#444444' linewidth 1.5
set style line 2 linecolor '#0072b2' linewidth 2
set style line 3 linecolor '#d55e00' linewidth 2
set style line 4 linecolor '#e69f00' linewidth 1
)";

/// Where row k is on the time axis: the year and its fraction, over less than three years the days since the first time
/// that is shown, or the number that the series has for a time.
class TimeAxis {
 public:
  TimeAxis(const Series& series, std::size_t first) : series_(series), first_(first) {
    const Time &begin = series.when[first], &end = series.when.back();
    numbers_ = begin.kind == Time::Kind::number;
    days_ =
        begin.kind != Time::Kind::number && begin.kind != Time::Kind::month && end.in_years() - begin.in_years() < 3;
  }
  std::string label() const {
    return numbers_ ? (series_.column > 1 ? "time" : "row") : days_ ? "days since " + series_.times[first_] : "year";
  }
  double operator()(std::size_t k) const {
    const Time& time = series_.when[k];
    return numbers_ ? time.value : days_ ? (time.value - series_.when[first_].value) / 86400 : time.in_years();
  }

 private:
  const Series& series_;
  std::size_t first_;
  bool numbers_, days_;
};

}  // namespace

bool draw_losses(const std::filesystem::path& path, const Training& training) {
  std::string script = styles;
  auto out = std::back_inserter(script);
  fmt::format_to(out, "$losses << END\n");
  for (std::size_t e = 0; e < training.epochs.size(); ++e)
    fmt::format_to(out, "{} {} {}\n", e + 1, training.epochs[e].loss, training.epochs[e].validation);
  fmt::format_to(out, "END\n");
  fmt::format_to(out, R"(
set xlabel 'epoch'
set ylabel 'mean squared error of scaled values'
set xrange [0.5:{}]
set yrange [0:*]
plot $losses using 1:2 with linespoints linestyle 2 pointtype 7 pointsize 0.4 title 'training', \
     $losses using 1:3 with linespoints linestyle 3 pointtype 7 pointsize 0.4 title 'validation', \
     $losses every ::{}::{} using 1:3 with points pointtype 6 pointsize 1.5 linewidth 2 linecolor '#000000' \
       title 'kept: epoch {}'
)",
                 static_cast<double>(training.epochs.size()) + 0.5, training.best, training.best, training.best + 1);
  return draw(path, 800, 400, script);
}

bool draw_forecasts(const std::filesystem::path& path, const Series& series, const std::vector<Forecast>& forecasts) {
  constexpr std::size_t year = 12;
  const std::size_t first = forecasts.front().origin;
  const TimeAxis time(series, first);
  std::string script = styles;
  auto out = std::back_inserter(script);

  fmt::format_to(out, "$truth << END\n");
  for (std::size_t k = first; k < series.size(); ++k) fmt::format_to(out, "{} {}\n", time(k), series.values[k]);
  fmt::format_to(out, "END\n$year << END\n");
  for (const Forecast& forecast : forecasts)
    if (forecast.values.size() >= year)
      fmt::format_to(out, "{} {} {}\n", time(forecast.origin + year), forecast.values[year - 1],
                     series.values[forecast.origin]);
  fmt::format_to(out, "END\n$whole << END\n");
  for (std::size_t k = 0; k < forecasts.size(); k += longest_horizon) {
    const Forecast& forecast = forecasts[k];
    fmt::format_to(out, "{} {}\n", time(forecast.origin), series.values[forecast.origin]);
    for (std::size_t h = 0; h < forecast.values.size(); ++h)
      fmt::format_to(out, "{} {}\n", time(forecast.origin + 1 + h), forecast.values[h]);
    fmt::format_to(out, "\n");
  }
  fmt::format_to(out, "END\n");

  fmt::format_to(out, R"(
set xrange [{}:{}]
set yrange [*:*]
set ylabel {}
set lmargin 9
set multiplot layout 2,1
set label 1 'forecast 12 months ahead' at graph 0, graph 1.08
plot $truth using 1:2 with lines linestyle 1 title 'truth', \
     $year using 1:3 with lines linestyle 4 title 'persistence', \
     $year using 1:2 with lines linestyle 3 title 'LSTM'
set label 1 'recursive forecasts of 24 months' at graph 0, graph 1.08
set xlabel {}
plot $truth using 1:2 with lines linestyle 1 title 'truth', \
     $whole using 1:2 with lines linestyle 3 title 'LSTM', \
     $whole using 1:2 every ::0::0 with points pointtype 7 pointsize 0.5 linecolor '#d55e00' title 'where they start'
unset multiplot
)",
                 time(first), time(series.size() - 1), quoted_for_gnuplot(series.name),
                 quoted_for_gnuplot(time.label()));
  return draw(path, 900, 700, script);
}

}  // namespace forecast
