#include "nn/io/layer_order.hpp"

#include <algorithm>
#include <map>
#include <numeric>

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

/// Less, equal or greater: numbers as numbers, everything else letter by letter. `by_number` is set to whether that was
/// decided by a number.
int compare(const std::string& a, const std::string& b, bool& by_number) {
  std::size_t i = 0, j = 0;
  by_number = false;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]) ? -1 : 1;
      ++i, ++j;
      continue;
    }
    const auto number = [](const std::string& text, std::size_t& at) {
      while (at < text.size() && text[at] == '0') ++at;
      const std::size_t first = at;
      while (at < text.size() && is_digit(text[at])) ++at;
      return text.substr(first, at - first);
    };
    const std::string left = number(a, i), right = number(b, j);
    if (left == right) continue;
    by_number = true;
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    return left < right ? -1 : 1;
  }
  if (i == a.size() && j == b.size()) return 0;
  // "dense" and "dense_1": the first of several often has no number.
  const std::string& rest = i == a.size() ? b : a;
  std::size_t at = i == a.size() ? j : i;
  if (rest[at] == '_' || rest[at] == '.') ++at;
  by_number = at < rest.size() && std::all_of(rest.begin() + static_cast<std::ptrdiff_t>(at), rest.end(), is_digit);
  return i == a.size() ? -1 : 1;
}

/// The orders in which parts are chained, up to `most` of them; `complete` is whether there are no others.
class Search {
 public:
  Search(const std::vector<Part>& parts, bool by_number, std::size_t most)
      : parts_(parts), most_(most), used_(parts.size()), before_(parts.size()), after_(parts.size()) {
    if (parts.size() > max_parts) return;
    for (std::size_t k = 0; k < parts.size(); ++k) readers_[parts[k].input_size].push_back(k);
    if (by_number)
      for (std::size_t a = 0; a < parts.size(); ++a)
        for (std::size_t b = 0; b < parts.size(); ++b)
          if (numbered_before(parts[a].name, parts[b].name)) {
            after_[a].push_back(b);
            ++before_[b];
          }
    run();
  }

  const std::vector<Indices>& found() const { return found_; }
  bool complete() const { return complete_; }

 private:
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
  Indices result;
  for (const std::string& name : wanted) {
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
    const auto index = static_cast<std::size_t>(found - parts.begin());
    if (found != parts.end() && std::find(result.begin(), result.end(), index) == result.end()) result.push_back(index);
  }
  if (result.size() == parts.size() && wanted.size() == parts.size()) return result;
  Indices file(parts.size());
  std::iota(file.begin(), file.end(), std::size_t{0});
  throw ValueError("the order must name each of " + list(parts, file) + " once");
}

}  // namespace

bool numbered_before(const std::string& a, const std::string& b) {
  bool by_number = false;
  return compare(a, b, by_number) < 0 && by_number;
}

bool sorted_by_name(const std::vector<std::string>& names) {
  bool by_number = false;
  return std::is_sorted(names.begin(), names.end()) ||
         std::is_sorted(names.begin(), names.end(),
                        [&](const std::string& a, const std::string& b) { return compare(a, b, by_number) < 0; });
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
  throw ValueError(text + "; give the order (convert --order, ImportOptions::order)");
}

}  // namespace nn::io
