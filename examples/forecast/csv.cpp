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

/// At most 40 bytes of a text from a file, for a message.
std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}{}\"", printable(text.substr(0, 40)), text.size() <= 40 ? "" : "...");
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What to say of a field that holds several, with something else than commas between them; "" of any other.
std::string other_separator(std::string_view field) {
  const std::size_t at = field.find_first_of(";\t|");
  if (at == field.npos) return "";
  return fmt::format(" has {} between its fields; put commas there", field[at] == ';'    ? "semicolons"
                                                                     : field[at] == '\t' ? "tabs"
                                                                                         : "bars");
}

constexpr const char* unclear_comma =
    " has a comma, which may be a thousands separator or a decimal comma; write plain digits with a point";

/// Whether a number with a comma between these parts, as 1,000 is, could be a thousand times what it is with a point.
bool may_be_thousands(std::string_view before, std::string_view after) {
  if (before.starts_with('+') || before.starts_with('-')) before.remove_prefix(1);
  return after.size() == 3 && before.size() <= 3 && !before.starts_with('0');
}

/// Why a field is not taken as a number.
std::string no_number(std::string_view field) {
  if (field.empty()) return "the value is missing";
  if (const std::size_t comma = field.find(','); comma != field.npos) {
    std::string point(field);
    point[comma] = '.';
    if (number(point)) {
      const bool unclear = may_be_thousands(field.substr(0, comma), field.substr(comma + 1));
      return in_quotes(field) + (unclear ? unclear_comma : fmt::format(" has a decimal comma; write {}", point));
    }
    if (field.find_first_not_of("+-0123456789.,") == field.npos) return in_quotes(field) + unclear_comma;
  }
  const std::string_view digits = field.substr(field.starts_with('+'));
  long double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc() && end == digits.data() + digits.size() && value != 0 && std::abs(value) < 1)
    return in_quotes(field) + " is too close to 0 for a number of double precision";
  if (const std::string other = other_separator(field); !other.empty()) return in_quotes(field) + other;
  return in_quotes(field) + " is not a finite number";
}

/// Throws where a file is no text, or not text as it is read here.
void check_encoding(const std::string& file, std::string_view text) {
  const auto fail = [&](const std::string& what) { throw InputError(fmt::format("{}: {}", file, what)); };
  const std::size_t nul = text.find('\0');
  // Without a mark UTF-32 shows in three bytes of four, and UTF-16 in its every second one.
  const auto zeros = [&](std::size_t first, std::size_t count) {
    return text.size() >= 4 && text.substr(first, count).find_first_not_of('\0') == text.npos;
  };
  if ((text.starts_with("\xFF\xFE") && zeros(2, 2)) || zeros(1, 3) || zeros(0, 2))
    fail("the file is UTF-32 text; save it as UTF-8");
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") ||
      (nul < 2 && nul + 2 < text.size() && text[nul + 2] == '\0'))
    fail("the file is UTF-16 text; save it as UTF-8");
  if (nul != text.npos) fail(fmt::format("byte {} is 0: the file is not UTF-8 text, or is damaged", nul));
  if (text.find('\n') == text.npos && text.find('\r') != text.npos)
    fail("its lines end in carriage returns alone; save it with line feeds");
}

class Reader {
 public:
  Reader(const std::filesystem::path& file, std::string text) : file_(file.string()), text_(std::move(text)) {
    check_encoding(file_, text_);
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

/// Whether a text is a date, not a mere number.
bool is_time(const std::string& text) {
  try {
    return read_time(text).kind != Time::Kind::number;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

/// Why a first row may have another number of columns than the header.
std::string hint(const std::vector<std::string>& row, std::size_t columns) {
  if (const std::string other = other_separator(row.front()); row.size() < columns && !other.empty())
    return "; " + in_quotes(row.front()) + other;
  const auto digits = [](const std::string& field) {
    return !field.empty() && field.find_first_not_of("0123456789") == std::string::npos;
  };
  if (row.size() != columns + 1 || !number(row[columns - 1]) || !digits(row[columns])) return "";
  const std::string &before = row[columns - 1], &after = row[columns];
  if (may_be_thousands(before, after))
    return fmt::format("; if {},{} is one number, it{}", before, after, unclear_comma);
  return fmt::format("; if {0},{1} is one number, write {0}.{1}", before, after);
}

std::string times_are(long count) { return count == 1 ? "1 time is" : fmt::format("{} times are", count); }

std::vector<std::string> read_header(Reader& reader) {
  const auto header = reader.next();
  if (!header) reader.fail(1, "the file is empty; it should start with a header such as \"month,value\"");
  std::map<std::string, std::size_t> seen;
  if (const std::string other = other_separator(header->front()); header->size() == 1 && !other.empty())
    reader.fail(1, in_quotes(header->front()) + other);
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
  if (is_time(header->front()))
    reader.fail(1, in_quotes(header->front()) +
                       " is a time where the header should be; add a first line such as \"month,value\"");
  return *header;
}

/// Turns rows that are the newest first, and holds them to be in order and evenly spaced.
void put_in_order(Series& series) {
  const auto fail = [&](std::size_t k, const std::string& what) {
    throw InputError(
        fmt::format("{}: line {}, column {}: {}", series.file.string(), series.lines[k], series.time_column, what));
  };
  const std::size_t size = series.size();
  if (size < 2) return;
  const auto row = [&](std::size_t k) {
    return fmt::format("{} of line {}", in_quotes(series.times[k]), series.lines[k]);
  };
  series.newest_first = series.when[1].value < series.when[0].value;
  for (std::size_t k = 1; k < size; ++k)
    if ((series.when[k].value < series.when[k - 1].value) != series.newest_first)
      fail(k, fmt::format("{} comes after {}, and the rows before are the {} first; sort them by time",
                          in_quotes(series.times[k]), row(k - 1), series.newest_first ? "newest" : "oldest"));
  if (series.newest_first) {
    std::ranges::reverse(series.times);
    std::ranges::reverse(series.when);
    std::ranges::reverse(series.values);
    std::ranges::reverse(series.lines);
  }
  const Spacing spacing = spacing_of(series.when);
  std::size_t first = 0, gaps = 0;
  long left_out = 0;
  for (std::size_t k = 1; k < size; ++k) {
    const std::optional<long> missing = spacing.missing(series.when[k - 1], series.when[k]);
    if (missing == 0) continue;
    if (!missing)
      fail(k,
           fmt::format("{} is not a whole number of steps after {}, and the step of most rows is {}; give all rows the "
                       "same step",
                       in_quotes(series.times[k]), row(k - 1), spacing.text(series.when[k].kind)));
    if (gaps++ == 0) first = k;
    left_out += *missing;
  }
  if (gaps > 0)
    fail(first, fmt::format("{} follows {}: at a step of {}, {} left out there{}; give every time a value",
                            in_quotes(series.times[first]), row(first - 1), spacing.text(series.when[first].kind),
                            times_are(spacing.missing(series.when[first - 1], series.when[first]).value_or(0)),
                            gaps > 1 ? fmt::format(", and {} in {} gaps in all", left_out, gaps) : ""));
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\t' || c == '\r')
      result += c == '\t' ? "\\t" : "\\r";
    else
      result += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return result;
}

std::string Series::place(std::size_t k) const {
  const std::size_t line = k < size() ? lines[k] : lines.empty() ? 2 : std::max(lines.front(), lines.back()) + 1;
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
                                           printable(fmt::format("{}", fmt::join(header, ", ")))));
  const auto index = static_cast<std::size_t>(found - header.begin());

  Series series{
      .file = file, .name = *found, .column = index + 1, .time_column = 1, .times = {}, .values = {}, .lines = {}};
  std::map<double, std::size_t> seen;
  while (const auto row = reader.next()) {
    if (row->size() != header.size())
      reader.fail(std::min(row->size(), header.size()) + (row->size() > header.size()),
                  fmt::format("the row has {} column{}, the header {}{}", row->size(), row->size() == 1 ? "" : "s",
                              header.size(), series.size() == 0 ? hint(*row, header.size()) : ""));
    const std::string& field = (*row)[index];
    const auto value = number(field);
    if (!value) reader.fail(index + 1, no_number(field));
    // A count of the rows goes on over what is left out, so times beside it are the ones that count.
    if (series.size() == 0 && index > 1 && (row->front() == "0" || row->front() == "1") && is_time((*row)[1]))
      series.time_column = 2;
    std::string time = index > 0 ? (*row)[series.time_column - 1] : std::to_string(series.size() + 1);
    try {
      series.when.push_back(read_time(time));
    } catch (const std::invalid_argument& error) {
      const std::string other = other_separator(time);
      reader.fail(
          series.time_column,
          time.empty() ? error.what() : in_quotes(time) + (other.empty() ? fmt::format(": {}", error.what()) : other));
    }
    if (const Time& first = series.when.front(), &last = series.when.back(); last.kind != first.kind)
      reader.fail(series.time_column,
                  fmt::format("{} is a {}, and {} of line {} a {}", in_quotes(time), to_string(last.kind),
                              in_quotes(series.times.front()), series.lines.front(), to_string(first.kind)));
    const auto [other, is_new] = seen.emplace(series.when.back().value, reader.line());
    if (!is_new) reader.fail(series.time_column, fmt::format("{} is on line {} too", in_quotes(time), other->second));
    series.times.push_back(std::move(time));
    series.values.push_back(*value);
    series.lines.push_back(reader.line());
  }
  put_in_order(series);
  return series;
}

}  // namespace forecast
