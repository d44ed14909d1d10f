// Runs gnuplot, if there is one.
#pragma once

#include <filesystem>
#include <string>

namespace forecast {

/// Whether a program of that name is in the PATH.
bool has_gnuplot();

/// Draws an SVG by a script that says nothing of terminal and output. The picture is renamed to `path` when it is
/// complete. False, and then `path` is what it was, if gnuplot fails; it has said why on standard error.
bool draw(const std::filesystem::path& path, unsigned width, unsigned height, const std::string& script);

/// A text as a string of gnuplot's.
std::string quoted_for_gnuplot(const std::string& text);

}  // namespace forecast
