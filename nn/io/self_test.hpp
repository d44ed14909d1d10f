// Self-tests: an input and the model's answer, which a file carries along so that whoever reads it can tell.
#pragma once

#include <string>

#include "nn/io/network.hpp"

namespace nn::io {

/// 64 steps of numbers of [-1, 1) and what the network answers, with a tolerance for programs that compute in float.
SelfTest make_self_test(const Network& network);

/// The same as AIDA-X tests: without gains, and with every input after the first, a knob of the amplifier, at 0.
SelfTest make_mono_self_test(Network network);

/// Runs the network's self-test, if it has one. Throws FormatError, which begins with `where`, for another answer.
void verify_self_test(const Network& network, const std::string& where);

}  // namespace nn::io
