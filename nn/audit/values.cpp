#include "nn/audit/values.hpp"

#include <algorithm>

namespace nn::audit {

namespace {

/// The number of letters to change, add or leave out to get from one name to the other.
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t k = 0; k <= b.size(); ++k) row[k] = k;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t k = 1; k <= b.size(); ++k) {
      const std::size_t change = diagonal + (a[i - 1] != b[k - 1]);
      diagonal = row[k];
      row[k] = std::min({change, row[k] + 1, row[k - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Values::near(const std::string& name) const {
  std::size_t least = 3;
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
