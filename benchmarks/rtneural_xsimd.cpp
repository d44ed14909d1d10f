// RTNeural's models on xsimd.
#include "rtneural_models.hpp"

namespace benchmark {

std::vector<RtneuralModel> rtneural_xsimd_models(const std::string& cell, int hidden_size) {
  return RTNEURAL_NAMESPACE::rtneural_models_on("xsimd", cell, hidden_size);
}

}  // namespace benchmark
