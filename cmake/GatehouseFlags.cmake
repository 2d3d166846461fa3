# Warnings are errors with gcc and clang alike; the list is docs/style's, the hardening Debian's and more.
add_library(gh_flags INTERFACE)
target_compile_definitions(gh_flags INTERFACE _GNU_SOURCE)
target_compile_options(gh_flags INTERFACE
    -Wall -Wextra -Werror -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wswitch-enum -Wvla -Wundef -Wcast-qual -Wwrite-strings -Wpointer-arith
    -Wformat=2 -Wnull-dereference -fno-common -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    # glibc's and libevent's macros use GNU extensions that only clang's -Wpedantic reports.
    target_compile_options(gh_flags INTERFACE -Wno-gnu-zero-variadic-macro-arguments)
endif()

if(GATEHOUSE_SANITIZE)
    target_compile_options(gh_flags INTERFACE -fsanitize=${GATEHOUSE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    # A sanitizer inlines checks through which gcc no longer sees that a pointer is not NULL.
    target_compile_options(gh_flags INTERFACE -Wno-null-dereference)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        target_compile_options(gh_flags INTERFACE -Wno-maybe-uninitialized)
    endif()
    target_link_options(gh_flags INTERFACE -fsanitize=${GATEHOUSE_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(gh_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-clash-protection -fcf-protection)
    target_link_options(gh_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie")
