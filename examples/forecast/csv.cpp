#include "forecast/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "autograd/error.hpp"
#include "nn/io/file.hpp"

namespace forecast {

namespace {

/// A finite number that fills the whole text.
std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// At most 40 bytes of a text from a file, for a message.
std::string in_quotes(std::string_view text) {
  return text.size() <= 40 ? fmt::format("\"{}\"", text) : fmt::format("\"{}...\"", text.substr(0, 40));
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

class Reader {
 public:
  Reader(const std::filesystem::path& file, std::string text) : file_(file.string()), text_(std::move(text)) {
    rest_ = text_;
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);  // a byte order mark
  }

  /// The fields of the next line, or nothing at the end.
  std::optional<std::vector<std::string>> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++line_;
    if (trim(line).empty()) {
      if (rest_.find_first_not_of(" \t\r\n") == rest_.npos) return std::nullopt;
      fail(1, "the line is empty");
    }
    return split(line);
  }

  std::size_t line() const { return line_; }

  [[noreturn]] void fail(std::size_t column, const std::string& what) const {
    throw InputError(fmt::format("{}: line {}, column {}: {}", file_, std::max<std::size_t>(line_, 1), column, what));
  }

 private:
  std::vector<std::string> split(std::string_view line) const {
    std::vector<std::string> fields;
    while (true) {
      line = trim(line);
      if (line.starts_with('"')) {
        fields.push_back(unquote(line, fields.size() + 1));
      } else {
        const std::size_t end = std::min(line.find(','), line.size());
        fields.emplace_back(trim(line.substr(0, end)));
        line.remove_prefix(end);
      }
      if (line.empty()) return fields;
      line.remove_prefix(1);
    }
  }

  /// Takes a quoted field, in which "" stands for a quote, off the front of a line.
  std::string unquote(std::string_view& line, std::size_t column) const {
    std::string field;
    for (std::size_t k = 1; k < line.size(); ++k) {
      if (line[k] == '"') {
        if (k + 1 == line.size() || line[k + 1] != '"') {
          line = trim(line.substr(k + 1));
          if (!line.empty() && line[0] != ',') fail(column, "there is text after the closing quote");
          return field;
        }
        ++k;
      }
      field += line[k];
    }
    fail(column, "the quote is not closed on its line");
  }

  std::string file_, text_;
  std::string_view rest_;
  std::size_t line_ = 0;
};

std::vector<std::string> read_header(Reader& reader) {
  const auto header = reader.next();
  if (!header) reader.fail(1, "the file is empty; it should start with a header such as \"month,value\"");
  std::map<std::string, std::size_t> seen;
  for (std::size_t k = 0; k < header->size(); ++k) {
    const std::string& name = (*header)[k];
    if (name.empty() && k > 0) reader.fail(k + 1, "the header has no name for this column");
    if (number(name))
      reader.fail(k + 1, in_quotes(name) +
                             " is a number where the header should be; add a first line such as "
                             "\"month,value\"");
    const auto [other, is_new] = seen.emplace(name, k + 1);
    if (!is_new) reader.fail(k + 1, fmt::format("the header calls column {} {} too", other->second, in_quotes(name)));
  }
  return *header;
}

}  // namespace

std::string Series::place(std::size_t k) const {
  const std::size_t line = k < size() ? lines[k] : lines.empty() ? 2 : lines.back() + 1;
  return fmt::format("{}: line {}, column {}", file.string(), line, column);
}

Series read_csv(const std::filesystem::path& file, const std::string& column) {
  std::string text;
  try {
    text = nn::io::read_file(file);
  } catch (const autograd::Error& error) {
    throw InputError(error.what());
  }
  Reader reader(file, std::move(text));
  const std::vector<std::string> header = read_header(reader);
  const auto found = column.empty() ? header.end() - 1 : std::find(header.begin(), header.end(), column);
  if (found == header.end())
    reader.fail(header.size(), fmt::format("the header has no column {}, only {}", in_quotes(column),
                                           fmt::join(header.begin(), header.end(), ", ")));
  const auto index = static_cast<std::size_t>(found - header.begin());

  Series series{.file = file, .name = *found, .column = index + 1, .times = {}, .values = {}, .lines = {}};
  std::map<std::string, std::size_t> seen;
  while (const auto row = reader.next()) {
    if (row->size() != header.size())
      reader.fail(std::min(row->size(), header.size()) + (row->size() > header.size()),
                  fmt::format("the row has {} column{}, the header {}", row->size(), row->size() == 1 ? "" : "s",
                              header.size()));
    const std::string& field = (*row)[index];
    const auto value = number(field);
    if (!value)
      reader.fail(index + 1, field.empty() ? "the value is missing" : in_quotes(field) + " is not a finite number");
    std::string time = index > 0 ? row->front() : std::to_string(series.size() + 1);
    const auto [other, is_new] = seen.emplace(time, reader.line());
    if (!is_new) reader.fail(1, fmt::format("{} is on line {} too", in_quotes(time), other->second));
    series.times.push_back(std::move(time));
    series.values.push_back(*value);
    series.lines.push_back(reader.line());
  }
  return series;
}

}  // namespace forecast
