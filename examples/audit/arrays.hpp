// Finished gradients, as a JSON file holds them.
#pragma once

#include <map>
#include <string>

#include "nn/audit/matrix.hpp"

/// {"dWx": {"shape": [20, 4], "data": [...]}, ...}; of more than two axes all but the last are rows. Throws FormatError
/// for anything else, with byte and JSON pointer.
std::map<std::string, nn::audit::Matrix> read_arrays(const std::string& text, const std::string& path);
