// Coverage: what of a derivation is held to the truth, and which gradients of the cell it does not give.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "nn/audit/derivation.hpp"
#include "nn/audit/values.hpp"

namespace nn::audit {

/// The names whose values an equation in C++ asked for, under its own name.
using Reads = std::map<std::string, std::set<std::string>>;

/// Throws FormatError, with the names that are near, for a derivation in which a left side is neither of the cell nor
/// used, directly or through others, by an equation whose left side is; and for one that gives no gradient.
void check_left_sides(const Derivation& derivation, const std::string& cell, const Values& values, const Reads& reads);

/// The steps at which something is given, under its name; 0 for what has no steps.
using Given = std::map<std::string, std::set<int>>;

/// The gradients of the cell that are not given, neither whole nor as all of their parts, and the steps that are left
/// out of what is given at others: "dWxf", "dx[t]", "dzi[7]". A cell's gradients are those of its parameters, its input
/// and the states that it starts from; what lies between need not be given.
std::vector<std::string> not_given(const Given& given, const Values& values);

}  // namespace nn::audit
