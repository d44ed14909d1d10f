// RTNeural's models on Eigen.
#include "rtneural_models.hpp"

namespace benchmark {

std::vector<RtneuralModel> rtneural_eigen_models(const std::string& cell, int hidden_size) {
  return RTNEURAL_NAMESPACE::rtneural_models_on("eigen", cell, hidden_size);
}

}  // namespace benchmark
