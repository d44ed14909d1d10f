// The sample rate of a model: NAM has a field for it, every other format keeps it among its notes, as AIDA-X does.
#pragma once

#include <string>

#include "nn/io/json_scanner.hpp"
#include "nn/io/metadata.hpp"

namespace nn::io {

inline constexpr const char* rate_note = "samplerate";

/// Takes the note out of the metadata into `rate`, in Hz, 0 where it is unknown. Throws E, which begins with `where`,
/// for what is no rate, and for one that differs from `rate`.
template <class E>
void take_sample_rate(Metadata& metadata, double& rate, const std::string& where) {
  const auto note = metadata.find(rate_note);
  if (note == metadata.end()) return;
  if (note->second.is_null()) {  // which says nothing
    metadata.erase(note);
    return;
  }
  const double noted = note->second.number().value_or(0);
  const std::string begin = where + ": metadata samplerate is " + shown(note->second.text());
  if (noted <= 0) throw E(begin + ", and must be a number of Hz");
  if (rate > 0 && rate != noted)
    throw E(begin + ", and the sample rate " + MetadataValue(rate).text() + "; keep one of them");
  rate = noted;
  metadata.erase(note);
}

}  // namespace nn::io
