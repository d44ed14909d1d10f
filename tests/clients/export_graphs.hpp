// Graphs for the clients that run them.
#pragma once

#include <filesystem>

/// NAME.scan.onnx and NAME.step.onnx of every cell, model and op, and what they must answer in NAME.json. Of ops that
/// can not be written there is NAME.json with the reason alone.
void export_graphs(const std::filesystem::path& folder);
