# Writes the header OUT, which calls the sources in the folder SOURCES by REVISION or, if that is empty, as git does; leaves it
# alone when nothing has changed, so that nothing is compiled anew.
if(NOT REVISION)
  execute_process(COMMAND git describe --always --dirty WORKING_DIRECTORY ${SOURCES}
                  OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT REVISION)
  set(REVISION unknown)
endif()
set(text "#define STAC_REVISION \"${REVISION}\"\n")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT "${before}" STREQUAL "${text}")
  file(WRITE ${OUT} "${text}")
endif()
