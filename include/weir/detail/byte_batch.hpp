// SPDX-License-Identifier: MIT
/// Several records of one size, claimed and published together.
#pragma once

#include <weir/contract.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// Contiguous bytes for each of `count` records. Move-only; destruction aborts all of them.
/// Needs  its producer outlives it and stays where it is.
template <class Core>
class byte_batch {
 public:
  byte_batch(Core& core, std::uint32_t count, std::uint32_t size) noexcept
      : core_{&core}, count_{count}, size_{size} {
    core.open_claim();
  }
  byte_batch(Core& core, status why) noexcept : core_{&core}, status_{why} {}
  byte_batch(byte_batch&& other) noexcept
      : core_{other.core_},
        count_{std::exchange(other.count_, 0)},
        size_{other.size_},
        status_{std::exchange(other.status_, status::stale)} {}
  auto operator=(byte_batch&&) -> byte_batch& = delete;
  ~byte_batch() {
    if (*this) core_->abort_batch(size_);
  }

  /// True while the bytes may be written.
  [[nodiscard]] explicit operator bool() const noexcept { return status_ == status::ok; }
  /// ok; why there is no batch; stale once it is committed or moved from.
  [[nodiscard]] auto status() const noexcept -> weir::status { return status_; }
  /// Records in the batch; 0 unless it holds.
  [[nodiscard]] auto size() const noexcept -> std::uint32_t { return count_; }
  /// The bytes of one record, 8-aligned. Needs  index < size().
  [[nodiscard]] auto operator[](std::uint32_t index) const noexcept -> std::span<std::byte> {
    WEIR_EXPECTS(index < count_);
    return {core_->writer().payload_of(index, size_), size_};
  }

  /// Publishes all of them: the consumer sees every record or none. A type of record_type::reserved or
  /// more is `unsupported`, and the batch stays open. Returns  also stale, where recover() skipped it.
  /// Thread  producer.   Progress  wait-free.
  auto commit(std::uint32_t type = 0) noexcept -> weir::status {
    if (!*this) return status_;
    if (type >= record_type::reserved) return status::unsupported;
    const auto outcome = core_->publish_batch(count_, size_, type);
    core_->end_claim();
    count_ = 0;
    status_ = status::stale;
    return outcome;
  }

 private:
  Core* core_;
  std::uint32_t count_ = 0;
  std::uint32_t size_ = 0;
  weir::status status_ = status::ok;
};

}  // namespace weir
