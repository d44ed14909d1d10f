// Where a program was when it recorded a step: kept as addresses, turned into text only when somebody asks.
#pragma once

#include <array>
#include <string>

namespace autograd {

/// Return addresses, the innermost first; nullptr behind the last.
using CallSite = std::array<void*, 24>;

/// Where this is called from.
CallSite call_site();

/// The innermost function outside the library: "model(Tape&) (model.cpp:12)", without the place where the program has
/// no debug information, and without the name, as "program+0x1a2b", where no `addr2line` is at hand. Empty where the
/// platform can not tell.
std::string to_string(const CallSite& site);

}  // namespace autograd
