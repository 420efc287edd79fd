// Which text may be a customer id.
#pragma once

#include <hbcommon/reason.hpp>

#include <cstddef>
#include <string_view>

namespace hb::codec {

// ok: 1 to 41 bytes of valid UTF-8, not all blank, no control characters (C0, DEL, C1, line and paragraph separator)
// and no bidirectional controls, which can make two ids look alike. missing_customer_id: empty. Else bad_customer_id.
// Ids are kept verbatim: no trimming, no case folding, no normalisation. [any thread]
Outcome check_customer_id(std::string_view id) noexcept;

// One UTF-8 encoded character at `first` (RFC 3629: shortest form, no surrogates, at most U+10FFFF). Returns its size
// in bytes, 0 where it is invalid. REQUIRES: first < last. [any thread]
std::size_t decode_utf8(const char* first, const char* last, char32_t& out) noexcept;

}  // namespace hb::codec
