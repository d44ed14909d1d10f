#include "rtneural_cell.hpp"

#ifdef WENGERT_WITH_RTNEURAL

#include <RTNeural/RTNeural.h>

#include <memory>

namespace benchmark {

namespace {

template <int hidden>
std::function<void()> step() {
  using Model = RTNeural::ModelT<float, 1, hidden, RTNeural::LSTMLayerT<float, 1, hidden>>;
  auto model = std::make_shared<Model>();
  model->reset();
  return [model, input = std::array<float, 16>{0.5f}]() mutable { model->forward(input.data()); };
}

}  // namespace

std::function<void()> rtneural_step(int hidden_size) {
  switch (hidden_size) {
    case 8:
      return step<8>();
    case 16:
      return step<16>();
    case 32:
      return step<32>();
    case 64:
      return step<64>();
    default:
      return {};
  }
}

}  // namespace benchmark

#else

namespace benchmark {

std::function<void()> rtneural_step(int) { return {}; }

}  // namespace benchmark

#endif
