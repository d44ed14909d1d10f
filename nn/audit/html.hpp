// An audit as one HTML file that needs nothing else.
#pragma once

#include <string>

#include "nn/audit/audit.hpp"
#include "nn/audit/flow.hpp"

namespace nn::audit {

/// Verdict, formulas, maps of agreement by step, and the curves of the flow; light or dark as the reader's system is.
std::string to_html(const Report& report, const Flow& flow, const std::string& title);

}  // namespace nn::audit
