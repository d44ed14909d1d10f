#include "forecast/gnuplot.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace forecast {

namespace fs = std::filesystem;

bool has_gnuplot() {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((fs::path(folder) / "gnuplot").c_str(), X_OK) == 0) return true;
  return false;
}

bool draw(const fs::path& path, unsigned width, unsigned height, const std::string& script) {
  // A folder that nobody else can have prepared, or write to: gnuplot follows links.
  std::string folder = path.string() + ".XXXXXX";
  if (!::mkdtemp(folder.data())) return false;
  const fs::path unfinished = fs::path(folder) / path.filename();
  const auto on_broken_pipe = std::signal(SIGPIPE, SIG_IGN);  // a gnuplot that ends early must not end us
  bool done = false;
  if (std::FILE* const gnuplot = ::popen("gnuplot", "w")) {
    fmt::print(gnuplot, "set terminal svg size {},{} font 'sans-serif,14' background 'white' noenhanced\n", width,
               height);
    fmt::print(gnuplot, "set output {}\n{}", quoted_for_gnuplot(unfinished.string()), script);
    done = ::pclose(gnuplot) == 0;
  }
  std::signal(SIGPIPE, on_broken_pipe);
  std::error_code error;
  if (done) fs::rename(unfinished, path, error);
  done = done && !error;
  fs::remove_all(folder, error);
  return done;
}

std::string quoted_for_gnuplot(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += '\'';
    result += c;
  }
  return result + "'";
}

}  // namespace forecast
