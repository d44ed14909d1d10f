#include "nn/audit/values.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace nn::audit {

namespace {

/// What it costs to get from one name to the other: 2 for a letter that is changed, added or left out, 1 for one in
/// another case, or for two that change places.
std::size_t edits(const std::string& a, const std::string& b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::size_t> before, above, row(b.size() + 1);
  for (std::size_t k = 0; k <= b.size(); ++k) row[k] = 2 * k;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = 2 * i;
    for (std::size_t k = 1; k <= b.size(); ++k) {
      const std::size_t change = a[i - 1] == b[k - 1] ? 0 : lower(a[i - 1]) == lower(b[k - 1]) ? 1 : 2;
      row[k] = std::min({above[k - 1] + change, above[k] + 2, row[k - 1] + 2});
      if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) row[k] = std::min(row[k], before[k - 2] + 1);
    }
  }
  return row[b.size()];
}

/// The costliest way to a name that is still near.
constexpr std::size_t farthest = 6;

}  // namespace

std::set<std::string> Values::origins(const std::string& name) const {
  std::set<std::string> result;
  const Quantity* const quantity = find(name);
  if (!quantity) return result;
  for (const auto* names : {&quantity->part_of, &quantity->holds})
    for (const std::string& origin : *names) {
      result.insert(origin);
      result.merge(origins(origin));
    }
  return result;
}

std::string Values::near(const std::string& name) const {
  std::size_t least = farthest;
  std::string list;
  for (const auto& [other, quantity] : named) least = std::min(least, edits(name, other));
  for (const auto& [other, quantity] : named)
    if (edits(name, other) <= least) list += (list.empty() ? "" : ", ") + other + (quantity.steps ? "[t]" : "");
  if (!list.empty()) return "there is " + list;
  for (const auto& [other, quantity] : named)
    if (other[0] != 'd') list += (list.empty() ? "" : ", ") + other + (quantity.steps ? "[t]" : "");
  return "there are " + list + ", and the derivative d... of each";
}

}  // namespace nn::audit
