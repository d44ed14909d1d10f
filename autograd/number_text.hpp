// Numbers as text and back, the same whatever the locale of the program.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace autograd {

/// So many significant digits, without zeros at the end: 0.25, 1e-07. As "%.6g" of the C locale.
std::string number_text(double value, int digits = 6);

/// So many digits after the point. As "%.6f" of the C locale.
std::string fixed_text(double value, int decimals = 6);

/// Appends the shortest text that reads back as the same bits: 0.1, 1e-07, -0.
void append_shortest(std::string& text, float value);
void append_shortest(std::string& text, double value);
/// That text.
std::string shortest_text(double value);

/// The number that fills the whole text, which may begin with a sign, or nothing. One beyond the range of a double is
/// nothing, too.
std::optional<double> number_from_text(std::string_view text);

}  // namespace autograd
