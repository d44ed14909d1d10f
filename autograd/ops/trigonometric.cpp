#include "autograd/ops/trigonometric.hpp"

#include "autograd/ops/on_tape.hpp"

namespace autograd {

template struct detail::OnTape<ops::Sin>;
template struct detail::OnTape<ops::Cos>;
template struct detail::OnTape<ops::Tan>;
template struct detail::OnTape<ops::Asin>;
template struct detail::OnTape<ops::Acos>;
template struct detail::OnTape<ops::Atan>;
template struct detail::OnTape<ops::Sinh>;
template struct detail::OnTape<ops::Cosh>;
template struct detail::OnTape<ops::Atan2>;

}  // namespace autograd
