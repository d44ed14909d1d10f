// What every program asks of its command line.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

/// Reads the command line. The exit status if the program ends with it: 0 after --help or --version, 2 for a mistake,
/// which has been printed.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return {};
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
}

/// Decimal digits, as many as 64 bits hold: CLI11 by itself wraps what is larger or negative, and takes 010 for 8.
inline const CLI::Validator whole_number(
    [](std::string& text) {
      std::uint64_t value = 0;
      const char* const end = text.data() + text.size();
      const auto [last, error] = std::from_chars(text.data(), end, value);
      const bool fits = error == std::errc() && last == end && (text.size() == 1 || text[0] != '0');
      return fits ? std::string() : text + " is no whole number of at most 64 bits";
    },
    "");

/// Neither NaN nor infinite.
inline const CLI::Validator finite_number(
    [](std::string& text) {
      return std::isfinite(std::strtod(text.c_str(), nullptr)) ? std::string() : text + " is not a finite number";
    },
    "");
