# The demo in a container, and with a GPU the same on it:
#   docker build -t latentcomp . && docker run --rm -v "$PWD/runs:/work/runs" latentcomp demo
# With vLLM, for machines with a GPU:
#   docker build --build-arg EXTRAS='[vllm,remote]' --build-arg TORCH= -t latentcomp-gpu .
#   docker run --rm --gpus all latentcomp-gpu extract --dry-run
FROM python:3.12-slim AS wheel
WORKDIR /src
COPY . .
RUN pip wheel --no-deps --no-cache-dir -w /wheels .

FROM python:3.12-slim
ARG EXTRAS=
# The CPU build of torch: a gigabyte less. Empty: the one of the package index, with CUDA.
ARG TORCH=https://download.pytorch.org/whl/cpu
COPY --from=wheel /wheels /wheels
COPY constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir -c /tmp/constraints.txt ${TORCH:+--extra-index-url $TORCH} \
      "$(ls /wheels/latentcomp-*.whl)${EXTRAS}" && rm -rf /wheels
WORKDIR /work
ENTRYPOINT ["latentcomp"]
CMD ["--help"]
