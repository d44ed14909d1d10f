#include "nn/audit/derivation.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>
#include <unordered_map>
#include <utility>

#include "autograd/error.hpp"

namespace nn::audit {

using autograd::FormatError;
using Kind = Expression::Kind;

void Derivation::add(std::string name, Callable formula, bool step) {
  for (const Equation& other : equations)
    if (other.name == name) throw autograd::ValueError("derivation: " + name + " has an equation already");
  const Time time{step ? Time::Base::t : Time::Base::none, 0};
  Equation equation{std::move(name), time, nullptr, std::move(formula), 0, {}};
  equation.text = equation.left() + " = (in C++)";
  equations.push_back(std::move(equation));
}

namespace {

constexpr std::size_t longest = 1 << 20;
constexpr int deepest = 200;                // nested parentheses
constexpr std::size_t longest_chain = 500;  // operations within one another: the terms of a sum, too
constexpr std::size_t largest = 5000;       // names, numbers and operations in one formula
constexpr std::size_t longest_name = 100;

const std::set<std::string> functions{"sum_t", "sum_batch", "mean", "tanh", "sigmoid", "exp", "log", "sqrt"};

/// The length of the UTF-8 sequence at the front, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t k = 1; k < length; ++k)
    if ((byte(k) & 0xc0) != 0x80) return 0;
  return length;
}

/// One line: an equation, or the name of the cell.
class Parser {
 public:
  Parser(std::string_view line, std::size_t number, const std::string& file)
      : line_(line), number_(number), file_(file) {}

  bool blank() {
    skip();
    return at_ == line_.size();
  }

  bool cell(std::string& name) {
    skip();
    const std::size_t begin = at_;
    if (letter() && identifier() == "cell" && !peek("[") && !peek("=")) {
      if (!letter()) fail("the name of a cell, such as lstm");
      name = identifier();
      end();
      return true;
    }
    at_ = begin;
    return false;
  }

  Equation equation() {
    Equation result{.name = {}, .time = {}, .formula = nullptr, .callable = {}, .line = number_, .text = {}};
    skip();
    if (!letter()) fail("a name, such as dc[t]");
    const std::size_t begin = at_;
    result.name = identifier();
    if (functions.contains(result.name)) {
      at_ = begin;
      fail("a name that is no function's");
    }
    result.time = time();
    if (!take("=")) fail("=");
    steps_ = result.time.base != Time::Base::none;
    result.formula = sum();
    end();
    std::string_view text = line_.substr(0, line_.find('#'));
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
    result.text = text;
    return result;
  }

 private:
  [[noreturn]] void error(const std::string& what, std::size_t at) const {
    // Columns count characters.
    std::size_t column = 1;
    for (std::size_t k = 0; k < at; ++k) column += (static_cast<unsigned char>(line_[k]) & 0xc0) != 0x80;
    throw FormatError(file_ + ":" + std::to_string(number_) + ":" + std::to_string(column) + ": " + what);
  }
  [[noreturn]] void fail(const std::string& expected) {
    skip();
    std::string found = "the end of the line";
    if (at_ < line_.size()) {
      std::size_t length = sequence_length(line_.substr(at_));
      while (std::isalnum(static_cast<unsigned char>(line_[at_])) && at_ + length < line_.size() &&
             std::isalnum(static_cast<unsigned char>(line_[at_ + length])) && length < 20)
        ++length;
      found = "\"" + std::string(line_.substr(at_, length)) + "\"";
    }
    error("expected " + expected + ", found " + found, at_);
  }

  void skip() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r')) ++at_;
    if (at_ < line_.size() && line_[at_] == '#') at_ = line_.size();
  }
  bool peek(std::string_view token) {
    skip();
    return line_.substr(at_).starts_with(token);
  }
  bool take(std::string_view token) {
    if (!peek(token)) return false;
    at_ += token.size();
    return true;
  }
  bool letter() {
    skip();
    return at_ < line_.size() && (std::isalpha(static_cast<unsigned char>(line_[at_])) || line_[at_] == '_');
  }
  bool digit() {
    skip();
    return at_ < line_.size() && std::isdigit(static_cast<unsigned char>(line_[at_]));
  }
  void end() {
    skip();
    if (at_ < line_.size()) fail("+, -, *, /, @ or the end of the line");
  }

  /// Letters, digits and underscores; c~ is another way to write g.
  std::string identifier() {
    const std::size_t begin = at_;
    while (at_ < line_.size() && (std::isalnum(static_cast<unsigned char>(line_[at_])) || line_[at_] == '_')) ++at_;
    std::string result(line_.substr(begin, at_ - begin));
    if (at_ < line_.size() && line_[at_] == '~') {
      ++at_;
      if (result.back() != 'c') error("expected c before ~", at_ - 1);
      result.back() = 'g';
    }
    if (result.size() > longest_name) error("a name of more than " + std::to_string(longest_name) + " letters", begin);
    return result;
  }

  int integer() {
    if (!digit()) fail("a whole number");
    int value = 0;
    const auto [next, failure] = std::from_chars(line_.data() + at_, line_.data() + line_.size(), value);
    if (failure != std::errc() || value > 1000000) error("a step of at most 1000000 was expected", at_);
    at_ = static_cast<std::size_t>(next - line_.data());
    return value;
  }

  Time time() {
    if (!take("[")) return {};
    Time result;
    if (digit() || peek("-")) {
      const bool minus = take("-");
      result = {Time::Base::fixed, minus ? -integer() : integer()};
    } else {
      if (take("t"))
        result.base = Time::Base::t;
      else if (take("T"))
        result.base = Time::Base::last;
      else
        fail("t, T or a number");
      if (take("+"))
        result.offset = integer();
      else if (take("-"))
        result.offset = -integer();
    }
    if (!take("]")) fail("]");
    return result;
  }

  Formula at(Expression e, std::size_t begin) const {
    std::size_t size = 1;
    for (const Formula& part : e.parts) {
      size += part->size;
      if (part->depth >= longest_chain)
        error("more than " + std::to_string(longest_chain) +
                  " operations one after another, or within one another; give parts of the formula names of their own",
              begin);
    }
    if (size > largest)
      error("more than " + std::to_string(largest) +
                " names, numbers and operations in a formula; give parts of it names of their own",
            begin);
    e.line = number_;
    e.column = begin + 1;
    return formula(std::move(e));
  }

  Formula sum() {
    if (++depth_ > deepest) error("more than " + std::to_string(deepest) + " formulas inside one another", at_);
    Formula left = term();
    for (;;) {
      const std::size_t begin = at_;
      if (take("+"))
        left = at({Kind::add, {left, term()}}, begin);
      else if (take("-"))
        left = at({Kind::subtract, {left, term()}}, begin);
      else
        break;
    }
    --depth_;
    return left;
  }

  Formula term() {
    Formula left = unary();
    for (;;) {
      const std::size_t begin = at_;
      if (peek("**")) fail("a single exponent");
      if (take("*"))
        left = at({Kind::multiply, {left, unary()}}, begin);
      else if (take("/"))
        left = at({Kind::divide, {left, unary()}}, begin);
      else if (take("@"))
        left = at({Kind::product, {left, unary()}}, begin);
      else
        return left;
    }
  }

  Formula unary() {
    skip();
    const std::size_t begin = at_;
    if (take("-")) {
      if (++depth_ > deepest) error("more than " + std::to_string(deepest) + " signs in a row", at_);
      Formula result = at({Kind::negate, {unary()}}, begin);
      --depth_;
      return result;
    }
    return power();
  }

  Formula power() {
    Formula base = postfix();
    const std::size_t begin = at_;
    if (!take("**")) return base;
    const bool minus = take("-");
    if (!digit()) fail("a number as the exponent");
    Expression e{Kind::power, {base}};
    e.number = (minus ? -1 : 1) * literal();
    return at(std::move(e), begin);
  }

  Formula postfix() {
    Formula result = primary();
    while (peek(".T")) {
      const std::size_t begin = at_;
      at_ += 2;
      result = at({Kind::transpose, {result}}, begin);
    }
    return result;
  }

  double literal() {
    double value = 0;
    const auto [next, failure] = std::from_chars(line_.data() + at_, line_.data() + line_.size(), value);
    if (failure != std::errc()) error("a number within the range of double was expected", at_);
    at_ = static_cast<std::size_t>(next - line_.data());
    return value;
  }

  Formula primary() {
    skip();
    const std::size_t begin = at_;
    if (digit()) return at(*number(literal()), begin);
    if (take("(")) {
      Formula inside = sum();
      if (!take(")")) fail("+, -, *, /, @ or )");
      return inside;
    }
    if (take("[")) {
      std::vector<Formula> parts{sum()};
      while (take(",")) parts.push_back(sum());
      if (!take("]")) fail(", or ]");
      return at({Kind::list, std::move(parts)}, begin);
    }
    if (!letter()) fail("a name, a number or (");
    const std::string text = identifier();
    if (functions.contains(text)) {
      if (!take("(")) fail("( after " + text);
      const bool outside = steps_, sums = text == "sum_t";
      if (sums && summed_) error("sum_t() within sum_t(): give the inner one a name in an equation of its own", begin);
      summed_ |= sums;
      steps_ |= sums;
      Expression e{Kind::call, {sum()}};
      e.text = text;
      steps_ = outside;
      if (sums) summed_ = false;
      if (!take(")")) fail("+, -, *, /, @ or )");
      return at(std::move(e), begin);
    }
    if (peek("(")) {
      std::string known;
      for (const std::string& function : functions) known += (known.empty() ? "" : ", ") + function;
      error("there is no function " + text + "; there are " + known, begin);
    }
    const Time when = time();
    if (when.base == Time::Base::t && !steps_)
      error(text + to_string(when) + " has a step, which the left side has not; sum over the steps with sum_t()",
            begin);
    return at(*name(text, when), begin);
  }

  std::string_view line_;
  std::size_t number_;
  const std::string& file_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool steps_ = true;    ///< whether there is a t here
  bool summed_ = false;  ///< whether it is that of a sum_t()
};

void check_text(std::string_view text, const std::string& file) {
  if (text.size() > longest)
    throw FormatError(file + ": " + std::to_string(text.size()) + " bytes are too long for a derivation; at most " +
                      std::to_string(longest) + " are read");
  std::size_t line = 1;
  for (std::size_t k = 0; k < text.size();) {
    const std::size_t length = sequence_length(text.substr(k));
    if (length == 0 || text[k] == '\0')
      throw FormatError(file + ":" + std::to_string(line) + ": byte " + std::to_string(k) + " is not UTF-8 text");
    line += text[k] == '\n';
    k += length;
  }
}

}  // namespace

Derivation parse(std::string_view text, const std::string& file) {
  check_text(text, file);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  Derivation result;
  std::unordered_map<std::string, std::size_t> lines;  // by left side
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Parser parser(text.substr(0, end), ++number, file);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (parser.blank()) continue;
    if (std::string cell; parser.cell(cell)) {
      if (!result.cell.empty())
        throw FormatError(file + ":" + std::to_string(number) + ":1: a second cell; the file is one of " + result.cell);
      result.cell = cell;
      continue;
    }
    Equation equation = parser.equation();
    if (const auto [other, first] = lines.emplace(equation.left(), number); !first)
      throw FormatError(file + ":" + std::to_string(number) + ":1: " + equation.left() + " has an equation in line " +
                        std::to_string(other->second) + " already");
    result.equations.push_back(std::move(equation));
  }
  if (result.equations.empty())
    throw FormatError(file + ": there is no equation in it; write one a line, such as dc0 = dc[1] * f[1]");
  return result;
}

}  // namespace nn::audit
