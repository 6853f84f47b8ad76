// SPDX-License-Identifier: MIT
/// Everything that Weir offers.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/broadcast_ring.hpp>
#include <weir/buffer_pool.hpp>
#include <weir/cache_line.hpp>
#include <weir/coalesce.hpp>
#include <weir/config.hpp>
#include <weir/contract.hpp>
#include <weir/doorbell.hpp>
#include <weir/image.hpp>
#include <weir/lanes.hpp>
#include <weir/latest.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/owner.hpp>
#include <weir/partition.hpp>
#include <weir/record.hpp>
#include <weir/region.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/version.hpp>
#include <weir/version_table.hpp>
#include <weir/wait.hpp>
