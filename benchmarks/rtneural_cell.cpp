#include "rtneural_cell.hpp"

namespace benchmark {

#ifdef WENGERT_WITH_RTNEURAL

std::vector<RtneuralModel> rtneural_eigen_models(const std::string& cell, int hidden_size);
std::vector<RtneuralModel> rtneural_xsimd_models(const std::string& cell, int hidden_size);

std::vector<RtneuralModel> rtneural_models(const std::string& cell, int hidden_size) {
  std::vector<RtneuralModel> models = rtneural_eigen_models(cell, hidden_size);
  for (RtneuralModel& model : rtneural_xsimd_models(cell, hidden_size)) models.push_back(std::move(model));
  return models;
}

#else

std::vector<RtneuralModel> rtneural_models(const std::string&, int) { return {}; }

#endif

}  // namespace benchmark
