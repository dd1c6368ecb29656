# test/docker-steps.sh runs these steps without an engine: keep to COPY, RUN, WORKDIR and ENV.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# With optional packages: the compiler is one, for each platform.
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build
RUN npm prune --omit=dev --omit=optional --no-audit --no-fund
RUN mkdir state

FROM node:20-slim
ENV NODE_ENV=production
ENV PGWEAVE_STATE_DIRECTORY=/app/state
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# The durable cluster record: mount a volume here, or a restart forgets which node is the primary.
COPY --from=build --chown=node:node /app/state state
USER node
EXPOSE 6432 9632
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9632/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["serve", "--config", "/etc/pgweave/pgweave.yaml"]
