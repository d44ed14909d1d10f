// The ops of leaves, which have no inputs and nothing to run.
#pragma once

#include "autograd/op.hpp"

namespace autograd::detail {

inline constexpr OpInfo variable_info{.name = "variable", .inputs = 0};
inline constexpr OpInfo constant_info{.name = "constant", .inputs = 0};
inline constexpr OpInfo parameter_info{.name = "parameter", .inputs = 0};
inline constexpr OpInfo drawn_info{.name = "drawn", .inputs = 0, .replayable = false};

template <class T>
void keep_value(const void*, const ForwardCall<T>&) {}
inline std::string no_attributes(const void*) { return std::string(); }

template <class T, const OpInfo& info>
inline constexpr OpTable<T> leaf_table{
    &info, info.replayable ? &keep_value<T> : nullptr, nullptr, nullptr, nullptr, &no_attributes};

}  // namespace autograd::detail
