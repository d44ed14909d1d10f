#include "nn/io/layer_order.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>

#include "autograd/error.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io {

using autograd::ValueError;

namespace {

using Indices = std::vector<std::size_t>;

constexpr std::size_t max_parts = 1000;       // beyond these nobody counts orders
constexpr std::size_t max_tries = 5'000'000;  // a search that takes longer leaves the order open
constexpr std::size_t max_self_tests = 24;    // orders that are run

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// How two names compare: numbers as numbers, everything else letter by letter.
struct Comparison {
  int sign = 0;            ///< less, equal or greater
  std::size_t common = 0;  ///< so many letters and numbers, at the beginning, are the same
  bool numbers = false;    ///< what differs after them are two numbers
};

Comparison compare(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  Comparison result;
  for (; i < a.size() && j < b.size(); ++result.common) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      const auto left = static_cast<unsigned char>(a[i++]), right = static_cast<unsigned char>(b[j++]);
      if (left == right) continue;
      result.sign = left < right ? -1 : 1;
      return result;
    }
    const auto number = [](std::string_view text, std::size_t& at) {
      while (at < text.size() && text[at] == '0') ++at;
      const std::size_t first = at;
      while (at < text.size() && is_digit(text[at])) ++at;
      return text.substr(first, at - first);
    };
    const std::string_view left = number(a, i), right = number(b, j);
    if (left == right) continue;
    const bool less = left.size() != right.size() ? left.size() < right.size() : left < right;
    result.sign = less ? -1 : 1;
    result.numbers = true;
    return result;
  }
  result.sign = i < a.size() ? 1 : j < b.size() ? -1 : 0;
  return result;
}

bool less(const std::string& a, const std::string& b) { return compare(a, b).sign < 0; }

/// What a name is compared by.
struct Name {
  std::size_t length = 0;  ///< letters and numbers
  std::size_t stem = 0;    ///< of these, before a number at the end and the '_' or '.' before that
  std::size_t number = 0;  ///< of these, before that number

  explicit Name(std::string_view text) {
    std::size_t last = 0;  // where the last one begins
    for (std::size_t at = 0; at < text.size(); ++length) {
      last = at++;
      while (is_digit(text[last]) && at < text.size() && is_digit(text[at])) ++at;
    }
    stem = number = length;
    if (length == 0 || !is_digit(text[last])) return;
    stem = number = length - 1;
    if (last > 0 && (text[last - 1] == '_' || text[last - 1] == '.')) --stem;
  }

  /// Whether that name, which begins with this one, is this one with a number: the first of several often has none.
  bool counted_by(const Name& longer) const {
    return length < longer.length && (length == longer.stem || length == longer.number);
  }
};

/// The orders in which parts are chained, up to `most` of them; `complete` is whether there are no others.
class Search {
 public:
  Search(const std::vector<Part>& parts, bool by_number, std::size_t most)
      : parts_(parts), most_(most), used_(parts.size()), before_(parts.size()), after_(parts.size()) {
    if (parts.size() > max_parts) return;
    for (std::size_t k = 0; k < parts.size(); ++k) readers_[parts[k].input_size].push_back(k);
    if (by_number) compare_numbers();
    run();
  }

  const std::vector<Indices>& found() const { return found_; }
  bool complete() const { return complete_; }

 private:
  /// What comes before what. Names are long, so they are not compared by pairs: two of the sorted names have in common
  /// what all neighbours between them have.
  void compare_numbers() {
    Indices sorted(parts_.size());
    std::iota(sorted.begin(), sorted.end(), std::size_t{0});
    std::sort(sorted.begin(), sorted.end(),
              [this](std::size_t a, std::size_t b) { return less(parts_[a].name, parts_[b].name); });
    std::vector<Name> names;
    std::vector<Comparison> to_next;
    for (std::size_t k = 0; k < sorted.size(); ++k) {
      names.emplace_back(parts_[sorted[k]].name);
      if (k > 0) to_next.push_back(compare(parts_[sorted[k - 1]].name, parts_[sorted[k]].name));
    }
    for (std::size_t a = 0; a < sorted.size(); ++a) {
      Comparison all{0, std::size_t(-1), true};
      for (std::size_t b = a + 1; b < sorted.size(); ++b) {
        const Comparison& last = to_next[b - 1];
        if (last.common <= all.common)
          all = {0, last.common, last.numbers && (last.common < all.common || all.numbers)};
        if (all.common == names[a].length ? !names[a].counted_by(names[b]) : !all.numbers) continue;
        after_[sorted[a]].push_back(sorted[b]);
        ++before_[sorted[b]];
      }
    }
  }

  /// Depth first, without recursion: a file decides how deep.
  void run() {
    Indices everything(parts_.size());
    std::iota(everything.begin(), everything.end(), std::size_t{0});
    std::vector<std::size_t> next{0};  // at each depth, which of the candidates is to be tried
    std::size_t tries = 0;
    while (!next.empty()) {
      const Indices& candidates = chosen_.empty() ? everything : readers_[parts_[chosen_.back()].output_size];
      std::size_t& at = next.back();
      while (at < candidates.size() && (used_[candidates[at]] || before_[candidates[at]])) {
        ++at;
        ++tries;
      }
      if (++tries > max_tries) return;
      if (at == candidates.size()) {
        next.pop_back();
        if (!chosen_.empty()) take_back();
        continue;
      }
      take(candidates[at++]);
      if (chosen_.size() < parts_.size()) {
        next.push_back(0);
        continue;
      }
      found_.push_back(chosen_);
      take_back();
      if (found_.size() == most_) return;
    }
    complete_ = true;
  }

  void take(std::size_t part) {
    chosen_.push_back(part);
    used_[part] = true;
    for (const std::size_t other : after_[part]) --before_[other];
  }

  void take_back() {
    const std::size_t part = chosen_.back();
    chosen_.pop_back();
    used_[part] = false;
    for (const std::size_t other : after_[part]) ++before_[other];
  }

  const std::vector<Part>& parts_;
  std::size_t most_;
  std::map<std::size_t, Indices> readers_;  // by how many features they read
  std::vector<bool> used_;
  Indices before_;              // how many parts that are not used yet must come before each
  std::vector<Indices> after_;  // which must come after each
  Indices chosen_;
  std::vector<Indices> found_;
  bool complete_ = false;
};

std::string list(const std::vector<Part>& parts, const Indices& order) {
  constexpr std::size_t shown_at_most = 12;
  std::string text;
  for (std::size_t k = 0; k < std::min(order.size(), shown_at_most); ++k)
    text += (k ? "," : "") + shown(parts[order[k]].name);
  return text + (order.size() > shown_at_most ? ",..." : "");
}

Indices wanted_order(const std::vector<Part>& parts, const std::vector<std::string>& wanted) {
  std::map<std::string_view, std::size_t> left;
  for (std::size_t k = 0; k < parts.size(); ++k) left.emplace(parts[k].name, k);
  Indices result;
  for (const std::string& name : wanted)
    if (const auto part = left.extract(name)) result.push_back(part.mapped());
  if (result.size() == parts.size() && wanted.size() == parts.size()) return result;
  Indices file(parts.size());
  std::iota(file.begin(), file.end(), std::size_t{0});
  throw ValueError("the order must name each of " + list(parts, file) + " once");
}

}  // namespace

bool numbered_before(const std::string& a, const std::string& b) {
  const Comparison both = compare(a, b);
  const Name first(a), second(b);
  return both.sign < 0 && (both.common == first.length ? first.counted_by(second) : both.numbers);
}

bool sorted_by_name(const std::vector<std::string>& names) {
  if (std::is_sorted(names.begin(), names.end()) || std::is_sorted(names.begin(), names.end(), less)) return true;
  std::vector<std::string> folded = names;
  for (std::string& name : folded)
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::is_sorted(folded.begin(), folded.end()) || std::is_sorted(folded.begin(), folded.end(), less);
}

bool chained(const std::vector<Part>& parts, const std::vector<std::size_t>& order) {
  for (std::size_t k = 1; k < order.size(); ++k)
    if (parts[order[k]].input_size != parts[order[k - 1]].output_size) return false;
  return true;
}

Order order_of(const std::vector<Part>& parts, bool sorted, const std::vector<std::string>& wanted,
               const std::function<bool(const std::vector<std::size_t>&)>& passes) {
  if (!wanted.empty()) return {wanted_order(parts, wanted), "as asked for"};
  Indices file(parts.size());
  std::iota(file.begin(), file.end(), std::size_t{0});
  if (parts.size() < 2) return {file, "the only layer"};
  if (!sorted && chained(parts, file)) return {file, "as in the file"};

  const Search any(parts, false, 2);
  if (any.complete() && any.found().empty()) return {file, "as in the file"};
  if (any.complete() && any.found().size() == 1)
    return {any.found()[0], "the only one in which each reads what the one before gives"};
  const Search numbered(parts, true, 2);
  if (numbered.complete() && numbered.found().size() == 1)
    return {numbered.found()[0],
            "by the numbers in the names, the only one in which each reads what the one before gives"};
  if (passes) {
    const Search all(parts, !numbered.found().empty(), max_self_tests);
    std::vector<Indices> passing;
    std::copy_if(all.found().begin(), all.found().end(), std::back_inserter(passing), passes);
    if (all.complete() && passing.size() == 1) return {passing[0], "the only one that passes the file's self-test"};
  }
  std::string text = std::string(sorted ? "its names are sorted" : "its layers do not fit one another as they stand") +
                     ", and do not tell in which order the layers feed one another";
  if (const auto& found = numbered.found().size() > 1 ? numbered.found() : any.found(); found.size() > 1)
    text += ": " + list(parts, found[0]) + " or " + list(parts, found[1]);
  throw ValueError(text + "; give the order (convert --order, LoadOptions::order)");
}

}  // namespace nn::io
